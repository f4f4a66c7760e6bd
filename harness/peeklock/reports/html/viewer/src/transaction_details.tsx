// One transaction of a service: what it changed, what it consisted of, how it ended.

import { Facts } from "./facts.tsx";
import type { Transaction } from "./model.ts";
import { moment, span } from "./time.ts";

export function TransactionDetails({ transaction }: { transaction: Transaction }) {
  const { at, ms, service, end, error, changes, statements } = transaction;
  return (
    <>
      <h2>Transaction · {service || "of somebody"}</h2>
      <p class="summary">{changes.join(" + ")}</p>
      <Facts rows={{ began: moment(at), took: span(ms), end, sqlstate: error }} bad={end === "committed" ? "" : "end"} />
      <h3>Statements, without their values</h3>
      <ol class="statements">
        {statements.map(([text, count]) => (
          <li>
            <code>{text}</code>
            {count > 1 ? ` × ${count}` : ""}
          </li>
        ))}
      </ol>
    </>
  );
}
