// A failure as text for people.

import { total, type Head, type Story } from "./model.ts";

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
