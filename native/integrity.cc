// TPM2_PCR_Read.
#include "answer.h"
#include "commands.h"
#include "input.h"

namespace tpm_attestor {

Napi::Value PcrRead(Context& context, const Napi::CallbackInfo& info) {
  struct Outputs {
    UINT32 update_counter;
    Owned<TPML_PCR_SELECTION> selection;
    Owned<TPML_DIGEST> values;
  };
  const Input in(info, "TPM2_PCR_Read");
  return context.Send<Outputs>(
      info.Env(), in.Command(),
      [sessions = in.GetSessions(), selection = in.Structure<TPML_PCR_SELECTION>("pcrSelectionIn")](ESYS_CONTEXT* esys,
                                                                                                    Outputs& out) {
        return Esys_PCR_Read(esys, sessions[0], sessions[1], sessions[2], &selection, &out.update_counter,
                             out.selection.Receive(), out.values.Receive());
      },
      [](Napi::Env env, const Outputs& out) -> Napi::Value {
        return Answer(env)
            .Number("pcrUpdateCounter", out.update_counter)
            .Structure("pcrSelectionOut", *out.selection)
            .Structure("pcrValues", *out.values);
      });
}

}  // namespace tpm_attestor
