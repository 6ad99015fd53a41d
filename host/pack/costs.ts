// What a module costs on a device, as docs/footprint.json has it, in the tables of docs/wamr.md and of a pack's README.
// tests/runtimes/footprint.check.ts measures the figures.

/** One way of running a module on a Cortex-M4, bytes. */
export interface Way {
  name: "fast interpreter" | "classic interpreter" | "native C";
  /** Flash: WAMR, agent.c, instance.c, capsule.c, their part of the C library; 0 for native C, whose host is not ours. */
  runtime: number;
  /** Flash: the module, or the machine code made of it. */
  module: number;
  /** RAM: the smallest pool that is enough, or the module's memory alone. */
  pool: number;
  /** RAM in which the module's bytes lie; 0: they stay in flash. */
  moduleRam: number;
}

/** Figures of one module. */
export interface ModuleFootprint {
  /** Of the module that was measured. */
  sha256: string;
  ways: Way[];
}

/** docs/footprint.json, bytes. */
export interface Footprint {
  modules: Record<string, ModuleFootprint>;
  /**
   * Flash on a Cortex-M4: agent.c with instance.c, boot.c, snapshot.c with sha256.c; RAM of `struct alink_agent`; the
   * owner's stack without TLS.
   */
  library: { agent: number; boot: number; snapshot: number; struct: number; stack: number };
  /** Heap that one more session takes of mbedTLS at its peak, on the 64-bit test machine. */
  tls: { session: number };
}

const HEADING = [
  "| way | flash: runtime, host, C library | flash: module | RAM: pool | RAM: module | flash, all | RAM, all |",
  "|---|---:|---:|---:|---:|---:|---:|",
];

function row({ name, runtime, module, pool, moduleRam }: Way): string {
  const cells = [name, runtime, module, pool, moduleRam, runtime + module, pool + moduleRam];
  return `| ${cells.map((cell) => (cell === 0 ? "–" : cell)).join(" | ")} |`;
}

/** The table of one module; a sentence instead when it was not measured. Lines of Markdown. */
export function costTable(footprint: Footprint, module: string): string {
  const measured = footprint.modules[module];
  return measured === undefined ? "Not measured for this module." : [...HEADING, ...measured.ways.map(row)].join("\n");
}

/** The whole device under either interpreter, added up. Lines of Markdown. @throws Error for a module not measured */
export function deviceTable({ modules, library, tls }: Footprint, module: string): string {
  const ways = (["classic interpreter", "fast interpreter"] as const).map((name) => {
    const way = modules[module]?.ways.find((one) => one.name === name);
    if (way === undefined) throw new Error(`docs/footprint.json has no ${name} for ${module}`);
    return way;
  });
  const both = (flash: (way: Way) => number, ram: (way: Way) => number) =>
    ways.flatMap((way) => [flash(way), ram(way)]);
  const nothing = () => 0;
  const parts: [string, number[]][] = [
    ["WAMR, `agent.c`, `instance.c`, `capsule.c`, their part of the C library", both((way) => way.runtime, nothing)],
    [
      `\`${module}.wasm\`; the classic interpreter needs it in RAM as well`,
      both(
        (way) => way.module,
        (way) => way.moduleRam,
      ),
    ],
    ["pool: instance, linear memory, operand stack, translated code", both(nothing, (way) => way.pool)],
    ["`struct alink_agent`", both(nothing, () => library.struct)],
    ["stack of the thread that owns the agent, TLS apart", both(nothing, () => library.stack)],
  ];
  // the module for CoAP sends datagrams without TLS
  if (module !== "agent-coap")
    parts.push(
      ["heap of mbedTLS for the session with the platform", both(nothing, () => tls.session)],
      ["heap of mbedTLS for the second one, during an update", both(nothing, () => tls.session)],
    );
  const sum = [0, 1, 2, 3].map((column) => parts.reduce((total, [, figures]) => total + figures[column]!, 0));
  const line = (name: string, cells: string[]) => `| ${[name, ...cells].join(" | ")} |`;
  return [
    "| bytes | classic: flash | classic: RAM | fast: flash | fast: RAM |",
    "|---|---:|---:|---:|---:|",
    ...parts.map(([name, figures]) =>
      line(
        name,
        figures.map((figure) => (figure === 0 ? "" : String(figure))),
      ),
    ),
    line(
      "**sum**",
      sum.map((figure) => `**${figure}**`),
    ),
  ].join("\n");
}

/** Which build the figures belong to, for the reader of a pack. */
export function measuredWith(footprint: Footprint, module: string, sha256: string): string {
  const measured = footprint.modules[module];
  if (measured === undefined) return "";
  const build = measured.sha256 === sha256 ? "with this very module" : "with an earlier build of the module";
  return `Measured on a Cortex-M4 (gcc, \`-Os\`, \`stack_size\` 4096) ${build}, by \`npm run test:runtimes\` of alink-agent.`;
}

const KIB = 1024;
/** What the fast interpreter was seen to take for each byte of the module, on 32 bits, and a little more. */
const POOL_A_BYTE = 5;

/**
 * RAM for the pool, bytes, that is enough for either interpreter on a 32-bit part: the measured one and a tenth.
 *
 * bytes, memory  size and static memory of the module: it may have grown since it was measured, or never have been.
 */
export function amplePool(footprint: Footprint, module: string, bytes: number, memory: number): number {
  const ways = footprint.modules[module]?.ways.filter(({ runtime }) => runtime > 0);
  const needed =
    ways === undefined
      ? POOL_A_BYTE * bytes + memory
      : Math.max(...ways.map((way) => way.pool * Math.max(1, bytes / way.module)));
  return Math.ceil((needed * 1.1) / KIB) * KIB;
}
