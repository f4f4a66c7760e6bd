// A failure with what somebody needs who has nothing but this text: for an assistant.

import { command, markdown } from "./failure_text.ts";
import type { Row } from "./happened.ts";
import type { Head, Story } from "./model.ts";
import type { Notice } from "./noticed.ts";
import { moment } from "./time.ts";

const MOST_EVENTS = 60;
const LONGEST = 20_000;
const LONGEST_LINE = 240;

/** The failure, the case as it is written, what was noticed and what happened last. */
export function context(head: Head, story: Story, rows: readonly Row[], notices: readonly Notice[]): string {
  const states = new Map(story.steps.map((step) => [`${step.file}:${step.line}`, step.ok ? "ok    " : "FAILED"]));
  const listings = story.listings.flatMap((listing) => [
    `# ${listing.part === "case" ? "" : `${listing.part}: `}${listing.file}`,
    ...listing.lines.map((text, index) => `${states.get(`${listing.file}:${listing.first + index}`) ?? "      "} ${String(listing.first + index).padStart(4)} ${text}`),
  ]);
  const last = rows.slice(-MOST_EVENTS).map((row) => `${moment(row.at).padStart(9)} ${row.alarming ? "!" : " "} ${row.actor}: ${row.text}${row.times > 1 ? ` ×${row.times}` : ""}`);
  const parts = [
    "An end-to-end test, run by Peeklock on emulators of Azure Service Bus and Blob Storage and on Postgres, has not passed.",
    "Find out why: is it the system, the test, or something around them? Times are since the case began.",
    "",
    markdown(head, story),
    "#### The case, with what became of its steps",
    ...fenced(listings),
    ...(notices.length ? ["#### What went otherwise than it should", ...notices.map((each) => `- ${moment(each.at)}: ${each.text}`), ""] : []),
    `#### What happened${rows.length > last.length ? `: the last ${last.length} of ${rows.length} events` : ""}`,
    ...fenced(last),
    `\`peeklock show '${head.file}::${head.name}'\` prints more of it; \`${command(head)}\` runs it again.`,
  ];
  const text = parts.map((line) => (line.length > LONGEST_LINE && !line.includes("\n") ? `${line.slice(0, LONGEST_LINE)}…` : line)).join("\n");
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}\n…\n` : `${text}\n`;
}

function fenced(lines: string[]): string[] {
  return ["```", ...lines.map((line) => line.replaceAll("```", "'''")), "```", ""];
}
