// The data of the page: blocks of deflated JSON, each unpacked when it is looked at.

import { whole, type Head, type Result, type Run, type Story } from "./model.ts";

export async function unpack(id: string): Promise<unknown> {
  const text = document.getElementById(id)?.textContent;
  if (!text) return null;
  const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}

export async function loadRun(): Promise<{ run: Run; cases: Head[] }> {
  const { run, cases, history } = (await unpack("run")) as { run: Run; cases: Head[]; history: Result[][] };
  return { run, cases: cases.map((head, number) => ({ ...head, history: history[number] ?? [] })) };
}

export async function loadStory(number: number): Promise<Story | null> {
  const told = (await unpack(`story-${number}`)) as Partial<Story> | null;
  return told && whole(told);
}
