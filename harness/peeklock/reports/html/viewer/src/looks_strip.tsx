// The tries of a step that waited, as a strip: each stretch saw the same.

import type { Looks } from "./model.ts";
import { span } from "./time.ts";

const LONGEST = 60;

export function LooksStrip({ looks, ok }: { looks: Looks[]; ok: boolean }) {
  const end = Math.max(looks.at(-1)?.[1] ?? 0, 1);
  return (
    <div class="looks">
      <svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
        {looks.map(([first, last, , missing], index) => {
          const until = looks[index + 1]?.[0] ?? Math.max(last, end);
          return <rect class={missing ? (index % 2 ? "odd" : "even") : "good"} x={(first / end) * 100} width={Math.max(1.2, ((until - first) / end) * 100 - 0.4)} height="10" />;
        })}
      </svg>
      <ol aria-label="What was missing at each try">
        {shown(looks).map((each) =>
          typeof each === "number" ? (
            <li class="note">⋯ {each} more</li>
          ) : (
            <li class={each[3] ? "" : "good"}>
              <span class="at">{span(each[0])}</span> {each[3] ? short(each[3]) : ok ? "✓ as expected" : "✓ as expected then"}
              {each[2] > 1 ? <b> ×{each[2]}</b> : null}
            </li>
          ),
        )}
      </ol>
    </div>
  );
}

/** The first and the last of many. */
function shown(looks: Looks[]): (Looks | number)[] {
  return looks.length > 8 ? [...looks.slice(0, 3), looks.length - 7, ...looks.slice(-4)] : looks;
}

function short(text: string): string {
  return text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text;
}
