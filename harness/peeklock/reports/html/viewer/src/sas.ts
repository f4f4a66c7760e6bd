// A URL with a shared access signature, taken apart.

export interface Sas {
  /** Without the query. */
  resource: string;
  permissions: string;
  from: string;
  until: string;
  kind: string;
  more: string;
}

const PERMISSIONS: Record<string, string> = {
  r: "read", a: "add", c: "create", w: "write", d: "delete", x: "delete version", l: "list", t: "tags", m: "move", e: "execute", f: "filter", i: "immutability",
};
const KINDS: Record<string, string> = { b: "blob", c: "container", d: "directory", bs: "snapshot", bv: "version" };

/** Every such URL in a text, each once. */
export function sasIn(text: string): Sas[] {
  const found = new Map<string, Sas>();
  for (const [url] of text.matchAll(/https?:\/\/[^\s"'<>\\]+\?[^\s"'<>\\]*\bse=[^\s"'<>\\]+/g)) {
    const [resource = "", query = ""] = url.split("?", 2);
    const given = new URLSearchParams(query);
    const permissions = given.get("sp");
    if (!permissions || !given.has("se")) continue;
    found.set(url, {
      resource,
      permissions: [...permissions].map((letter) => PERMISSIONS[letter] ?? letter).join(", "),
      from: given.get("st") ?? "",
      until: given.get("se") ?? "",
      kind: KINDS[given.get("sr") ?? ""] ?? given.get("sr") ?? "",
      more: ["spr", "sip", "si", "skoid"].flatMap((key) => (given.get(key) ? [`${key}=${given.get(key)}`] : [])).join(", "),
    });
  }
  return [...found.values()];
}

/** Whether it was good at a moment, both in milliseconds since 1970; empty where its times cannot be read. */
export function goodAt(sas: Sas, at: number): string {
  const until = Date.parse(sas.until), from = sas.from ? Date.parse(sas.from) : Number.NEGATIVE_INFINITY;
  if (Number.isNaN(until) || Number.isNaN(from)) return "";
  if (at < from) return "not yet valid then";
  return at < until ? "valid then" : "over by then";
}
