// as-pect: units of the core, compiled without optimisation and run as they are. `npx asp --summary`.

export default {
  entries: ["tests/core/**/*.spec.ts"],
  include: [],
  disclude: [/node_modules/],
  async instantiate(memory, createImports, instantiate, binary) {
    return instantiate(binary, createImports({ env: { memory } }));
  },
  outputBinary: false,
};
