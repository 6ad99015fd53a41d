// XML out: element per member, repeated elements for lists (the cloud API's and the storage's way).

const ENTITIES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;" };

function escapeXml(text: string): string {
  // Control characters other than tab, CR, LF, and half surrogate pairs, cannot appear in XML 1.0 at all (§2.2).
  return text
    .replace(/[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu, "?")
    .replace(/[&<>"']/g, (char) => ENTITIES[char]!);
}

function element(name: string, value: unknown): string {
  if (value === undefined || value === null) return "";
  if (Array.isArray(value)) return value.map((item) => element(name, item)).join("");
  const content =
    typeof value === "object"
      ? Object.entries(value)
          .map(([member, inner]) => element(member, inner))
          .join("")
      : escapeXml(String(value));
  return `<${name}>${content}</${name}>`;
}

/** A document with `value` below the root element. */
export function xmlDocument(root: string, value: Record<string, unknown>): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${element(root, value)}`;
}
