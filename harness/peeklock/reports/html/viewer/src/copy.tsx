// Buttons that copy, and what they copy.

import { useState } from "preact/hooks";
import { total, type Head, type Story } from "./model.ts";

export function Copy({ label, text }: { label: string; text: () => string }) {
  const [done, setDone] = useState(false);
  async function copy() {
    await write(text());
    setDone(true);
    setTimeout(() => setDone(false), 1500);
  }
  return (
    <button type="button" class="copy" onClick={copy}>
      <span aria-live="polite">{done ? "Copied ✓" : label}</span>
    </button>
  );
}

/** The clipboard is not there for every page that is opened from a disk. */
async function write(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const field = document.createElement("textarea");
    field.value = text;
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  }
}

/** A word that a shell takes as it is. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

export function command(head: Head): string {
  return `peeklock run ${quoted(`${head.file}::${head.name}`)} --keep`;
}

export function markdown(head: Head, story: Story): string {
  const failure = story.failure;
  const parts = [`### ${head.outcome}: ${head.file} › ${head.name}`, ""];
  if (failure?.likely_cause) parts.push(`**Likely cause:** ${failure.likely_cause}`, "");
  if (failure) {
    parts.push(`At \`${failure.where}\`, step “${failure.step}” (${total(head).toFixed(1)} s):`, "", "```");
    parts.push(...failure.excerpt);
    if (failure.headline) parts.push(failure.headline);
    for (const [path, expected, actual] of failure.mismatches) parts.push(path, `  expected ${expected}`, `  actual   ${actual}`);
    parts.push(...failure.notes, ...failure.also.map((text) => `also: ${text}`), "```", "");
  } else if (story.reason) {
    parts.push("```", story.reason, "```", "");
  }
  parts.push("```sh", command(head), "```");
  return `${parts.join("\n")}\n`;
}
