// The actual value as a tree, with what was expected at the places where they differ.

export interface Node {
  key: string;
  /** Of a leaf: its JSON. */
  value: string;
  children: Node[];
  /** Where it differs. */
  expected: string | null;
  actual: string;
  /** Whether it or something in it differs. */
  differs: boolean;
}

const MOST = 60;

/** The keys of a path such as `body.items[0].id`. */
export function keysOf(path: string): string[] {
  return [...path.matchAll(/\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]|([^.[\]]+)/g)].map((found) => found[1] ?? found[2] ?? found[3] ?? "");
}

export function treeOf(actual: unknown, mismatches: readonly [string, string, string][]): Node {
  const root = nodeOf("", actual);
  for (const [path, expected, found] of mismatches) {
    let node = root;
    node.differs = true;
    const keys = keysOf(path);
    // of a single result its index is not told
    if (Array.isArray(actual) && actual.length === 1 && keys[0] && keys[0] !== "count" && !/^\d+$/.test(keys[0])) keys.unshift("0");
    for (const key of keys) {
      let child = node.children.find((each) => each.key === key);
      if (!child) {
        child = { key, value: "absent", children: [], expected: null, actual: "", differs: false };
        node.children.push(child);
      }
      node = child;
      node.differs = true;
    }
    node.expected = node.expected === null ? expected : `${node.expected}; ${expected}`;
    node.actual = found;
  }
  return root;
}

function nodeOf(key: string, value: unknown): Node {
  const node: Node = { key, value: "", children: [], expected: null, actual: "", differs: false };
  if (Array.isArray(value)) {
    node.children = value.slice(0, MOST).map((each, index) => nodeOf(String(index), each));
    node.value = value.length > MOST ? `${value.length} items, the first ${MOST} shown` : value.length ? "" : "[]";
  } else if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value);
    node.children = entries.slice(0, MOST).map(([name, each]) => nodeOf(name, each));
    node.value = entries.length ? "" : "{}";
  } else {
    node.value = JSON.stringify(value) ?? "absent";
  }
  return node;
}
