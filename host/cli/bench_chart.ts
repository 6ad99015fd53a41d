// The benchmark's results as one SVG: a panel for each algorithm, in it a group of bars for each input size, in a group one
// bar for each library. Every figure in it comes from the results.

import type { Result } from "./bench.js";

const COLORS: Record<string, string> = {
  "alink-agent": "#0b6e99",
  "hash-wasm": "#e08e2b",
  "@noble/hashes": "#7a9e3f",
  "@noble/ciphers": "#7a9e3f",
  "aes-js": "#b8b04a",
  "node:crypto": "#b5b5b5",
};

const WIDTH = 920;
const PANEL = { width: 440, height: 210, left: 16, top: 30, bars: 130 };

const escapeText = (text: string): string => text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);

const sizeText = (size: number): string =>
  size >= 1048576 ? `${size / 1048576} MiB` : size >= 1024 ? `${size / 1024} KiB` : `${size} B`;

const figure = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toPrecision(2));

function text(x: number, y: number, content: string, attributes = ""): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${attributes}>${escapeText(content)}</text>`;
}

function bar(result: Result, x: number, width: number, base: number, scale: number): string {
  const height = Math.max(1, result.median * scale);
  const top = base - height;
  const middle = x + width / 2;
  const spread = `<path d="M${middle.toFixed(1)} ${(base - result.p10 * scale).toFixed(1)}V${(base - result.p90 * scale).toFixed(1)}" stroke="#333"/>`;
  const label = text(middle, Math.min(top, base - result.p90 * scale) - 3, figure(result.median), 'class="figure"');
  const title = `${result.subject} ${result.version}: ${result.median} MB/s`;
  return `<rect x="${x.toFixed(1)}" y="${top.toFixed(1)}" width="${width.toFixed(1)}" height="${height.toFixed(1)}" fill="${COLORS[result.subject] ?? "#888"}"><title>${escapeText(title)}</title></rect>${spread}${label}`;
}

function panel(name: string, results: Result[], x: number, y: number): string {
  const sizes = [...new Set(results.map(({ size }) => size))];
  const highest = Math.max(...results.map(({ p90, median }) => Math.max(p90, median)));
  const scale = PANEL.bars / highest;
  const base = y + PANEL.top + 20 + PANEL.bars;
  const group = (PANEL.width - 2 * PANEL.left) / sizes.length;
  const parts = [text(x + PANEL.left, y + 16, `${name}, MB/s`, 'class="title"')];
  for (const [i, size] of sizes.entries()) {
    const of = results.filter((result) => result.size === size);
    const width = (group - 14) / of.length;
    const left = x + PANEL.left + i * group;
    for (const [j, result] of of.entries()) parts.push(bar(result, left + j * width, width - 2, base, scale));
    parts.push(text(left + (group - 14) / 2, base + 15, sizeText(size), 'class="size"'));
  }
  return parts.join("\n");
}

/** Draw the results. The speeds of one panel share one scale, which begins at 0; the lines are 10 % to 90 % of the turns. */
export function chart(results: Result[]): string {
  const speeds = results.filter(({ unit }) => unit === "MB/s");
  const sizes = results.filter(({ unit }) => unit === "bytes");
  const names = [...new Set(speeds.map(({ name }) => name))];
  const subjects = [...new Map(speeds.map(({ subject, version }) => [subject, version]))];
  const rows = Math.ceil(names.length / 2);
  const height = 60 + rows * PANEL.height + 24;
  const legend = subjects.map(([subject, version], i) => {
    const x = 16 + i * 150;
    return `<rect x="${x}" y="30" width="10" height="10" fill="${COLORS[subject] ?? "#888"}"/>${text(x + 14, 39, `${subject} ${version}`)}`;
  });
  const panels = names.map((name, i) =>
    panel(
      name,
      speeds.filter((result) => result.name === name),
      (i % 2) * (WIDTH / 2),
      56 + Math.floor(i / 2) * PANEL.height,
    ),
  );
  const modules = sizes.map(({ name, median }) => `${name} ${median} bytes`).join(", ");
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="11">
<style>.title{font-size:13px;font-weight:bold}.figure{font-size:8px;text-anchor:middle}.size{text-anchor:middle}</style>
<rect width="100%" height="100%" fill="#fff"/>
${text(16, 18, results[0]?.machine ?? "", 'class="title"')}
${legend.join("\n")}
${panels.join("\n")}
${text(16, height - 10, modules)}
</svg>
`;
}
