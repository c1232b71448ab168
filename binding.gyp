{
  # tpm2-tss is looked for with pkg-config. Without it the target builds nothing, so that a machine which only verifies
  # can install the package; `-Drequire_tss2=1` (scripts/build-native) turns its absence into an error.
  'variables': {
    'require_tss2%': 0,
    'sanitize%': 0,
    'have_tss2%': '<!(pkg-config --exists "tss2-esys >= 3.2" tss2-tctildr tss2-mu && echo 1 || echo 0)',
  },
  'target_defaults': {
    'dependencies': [
      "<!(node -p \"require('node-addon-api').targets\"):node_addon_api_except",
    ],
    'defines': [
      'NAPI_VERSION=8',
      'NODE_API_NO_EXTERNAL_BUFFERS_ALLOWED',
      # A promise settled while its environment is being torn down has nobody to tell.
      'NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS',
    ],
    'cflags_cc!': ['-std=gnu++17', '-Wno-unused-parameter'],
    'cflags!': ['-Wno-unused-parameter'],
    'cflags_cc': ['-std=c++17', '-Wall', '-Wextra', '-fvisibility=hidden'],
    'conditions': [
      ['sanitize == 1', {
        # vptr checks need RTTI, which Node's build settings turn off.
        'cflags_cc': [
          '-g',
          '-fno-omit-frame-pointer',
          '-fsanitize=address,undefined',
          '-fno-sanitize=vptr',
          '-fno-sanitize-recover=all',
        ],
        'ldflags': ['-fsanitize=address,undefined'],
      }],
    ],
  },
  'targets': [
    {
      'target_name': 'tpm_attestor',
      'conditions': [
        ['have_tss2 == 0 and require_tss2 == 0', { 'type': 'none' }, {
          'sources': [
            'native/addon.cc',
            'native/attestation.cc',
            'native/capability.cc',
            'native/context.cc',
            'native/error.cc',
            'native/input.cc',
            'native/integrity.cc',
            'native/keeper.cc',
            'native/ledger.cc',
            'native/management.cc',
            'native/nv.cc',
            'native/object.cc',
            'native/policy.cc',
            'native/resource.cc',
            'native/session.cc',
            'native/tcti.cc',
            'native/tpm.cc',
          ],
          'cflags_cc': ['<!@(pkg-config --cflags tss2-esys tss2-tctildr tss2-mu)'],
          'libraries': ['<!@(pkg-config --libs tss2-esys tss2-tctildr tss2-mu)'],
        }],
      ],
    },
    {
      # Links no libcrypto: its symbols are those of the process that loads it, declared in Node's own headers.
      'target_name': 'public_key_steps',
      'sources': [
        'native/steps/addon.cc',
        'native/steps/arguments.cc',
        'native/steps/credential.cc',
        'native/steps/keys.cc',
        'native/steps/libcrypto.cc',
        'native/steps/signature.cc',
      ],
      # One ECDSA or RSA operation costs less by OpenSSL's low-level functions, which version 3 calls deprecated.
      'defines': ['OPENSSL_SUPPRESS_DEPRECATED'],
    },
  ],
}
