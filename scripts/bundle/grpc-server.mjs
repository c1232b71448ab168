// gRPC without its client, which is more than half of it: a plugin serves its host and calls nobody.

// What plugins and generated code take of grpc-js. Generated code makes the client of each service when it is loaded.
const INDEX = `
exports.Server = require('./server').Server;
exports.ServerCredentials = require('./server-credentials').ServerCredentials;
exports.makeGenericClientConstructor = () => undefined;
`;

/** @type {import('esbuild').Plugin} */
export const grpcServer = {
  name: 'grpc-server',
  setup({ onLoad }) {
    onLoad({ filter: /\/@grpc\/grpc-js\/build\/src\/index\.js$/ }, () => ({ contents: INDEX }));
    // Only for services that no plugin offers: channelz, and metrics of load.
    onLoad({ filter: /\/@grpc\/(grpc-js\/build\/src\/make-client|proto-loader\/build\/src\/index)\.js$/ }, () => ({
      contents: '',
    }));
  },
};
