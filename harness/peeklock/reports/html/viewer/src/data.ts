// The data of the page: blocks of deflated JSON, each unpacked when it is looked at.

import { whole, type Coverage, type Head, type Passed, type Result, type Run, type Story } from "./model.ts";

export async function unpack(id: string): Promise<unknown> {
  const text = document.getElementById(id)?.textContent;
  if (!text) return null;
  const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}

export async function loadRun(): Promise<{ run: Run; cases: Head[]; coverage: Coverage }> {
  const { run, cases, history, passed, coverage } = (await unpack("run")) as { run: Run; cases: Head[]; history: Result[][]; passed: (Passed | null)[]; coverage: Coverage };
  return { run, coverage, cases: cases.map((head, number) => ({ ...head, history: history[number] ?? [], passed: passed[number] ?? null })) };
}

/** The story of a case of this run, or of the one that it is compared with. */
export async function loadStory(number: number, kind: "story" | "passed" = "story"): Promise<Story | null> {
  const told = (await unpack(`${kind}-${number}`)) as Partial<Story> | null;
  return told && whole(told);
}
