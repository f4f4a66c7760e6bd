// What the cases of a run have shown together: criteria, outcomes of messages, keywords of schemas, operations of contracts.

import { useState } from "preact/hooks";
import { MARKS } from "./cases.tsx";
import { criteriaOf, exerciseOf, leastAsked, leastTried, neverAnswered, neverSeen, wasAsked } from "./coverage.ts";
import { useKeys } from "./keys.ts";
import type { Coverage, Head, Keyword, Operation, Run } from "./model.ts";
import { EVERYTHING, hashOf } from "./route.ts";

const BACK = hashOf({ view: "cases", filter: EVERYTHING });
/** Rows of a table, or cases of a criterion, that are shown at first. */
const PAGE = 100;
const CHIPS = 12;
const WORDS = { broken: "broken", held: "never broken", unmet: "never met" };

export function CoveragePage({ run, cases, coverage }: { run: Run; cases: Head[]; coverage: Coverage }) {
  const criteria = criteriaOf(run.criteria ?? {}, cases);
  const covered = criteria.filter((each) => each.cases.length).length;
  const keywords = coverage.contracts.flatMap(([, , all]) => all);
  const untried = keywords.filter((each) => exerciseOf(each) !== "broken").length;
  const operations = coverage.operations.flatMap(([, all]) => all);
  useKeys({ Escape: () => (location.hash = BACK) });
  return (
    <main class="cases coverage">
      <header class="top">
        <a href={BACK} aria-label="All cases">
          ←
        </a>
        <h1>
          <span class="brand">peeklock</span> coverage of {run.run ?? "run"}
        </h1>
        <p class="facts">
          by its {cases.length} cases: {covered} of {criteria.length} criteria · {neverSeen(coverage)} outcomes never seen · {untried} of {keywords.length} keywords never broken
          {operations.length ? ` · ${operations.filter((each) => !wasAsked(each)).length} of ${operations.length} operations never asked` : ""}
        </p>
      </header>
      <section aria-label="Criteria">
        <h2>Criteria</h2>
        {criteria.length ? (
          <>
            <p class="note">
              {covered} of {criteria.length} criteria have a case in this run.
            </p>
            <table>
              <tbody>
                {criteria.map(({ id, sentence, cases: numbers }) => (
                  <tr>
                    <th scope="row">{id}</th>
                    <td>
                      {sentence}
                      <div class="labels">{numbers.length ? <CaseLinks numbers={numbers} cases={cases} /> : <b class="mark failed">no case in this run</b>}</div>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </>
        ) : (
          <p class="nothing">No case covers a criterion, and there is no criteria.yaml beside the files.</p>
        )}
      </section>
      <section aria-label="Queues">
        <h2>What happened to messages</h2>
        {coverage.queues.length ? <Queues coverage={coverage} cases={cases} /> : <p class="nothing">No case has a queue or a subscription.</p>}
      </section>
      {coverage.contracts.map(([queue, schema, keywords]) => (
        <Contract key={queue} queue={queue} schema={schema} keywords={keywords} cases={cases} />
      ))}
      {coverage.operations.map(([contract, all]) => (
        <Operations key={contract} contract={contract} operations={all} cases={cases} />
      ))}
    </main>
  );
}

function Queues({ coverage, cases }: { coverage: Coverage; cases: Head[] }) {
  return (
    <>
      <p class="note">{neverSeen(coverage)} outcomes were never seen. A number leads to the first case with it.</p>
      <div class="wide" tabIndex={0} role="region" aria-label="Outcomes by queue">
        <table class="matrix">
          <thead>
            <tr>
              <th scope="col">queue</th>
              {coverage.outcomes.map((outcome) => (
                <th scope="col">{outcome.replaceAll("_", " ")}</th>
              ))}
            </tr>
          </thead>
          <tbody>
            {coverage.queues.map(([queue, counts]) => (
              <tr>
                <th scope="row">{queue}</th>
                {coverage.outcomes.map((outcome) => {
                  const [count, numbers] = counts[outcome] ?? [0, []];
                  return <td class={count ? "" : "never"}>{count ? <Linked number={numbers[0]} cases={cases} text={String(count)} /> : "never"}</td>;
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

function Contract({ queue, schema, keywords, cases }: { queue: string; schema: string; keywords: Keyword[]; cases: Head[] }) {
  const [most, setMost] = useState(PAGE);
  const untried = keywords.filter((each) => exerciseOf(each) !== "broken").length;
  return (
    <section aria-label={`Contract of ${queue}`}>
      <h2>
        Contract of {queue} · {schema}
      </h2>
      <p class="note">
        {untried} of {keywords.length} keywords were broken by no message: nothing shows that they matter to who receives it.
      </p>
      <div class="wide" tabIndex={0} role="region" aria-label={`Keywords of ${schema}`}>
        <table class="changes">
          <thead>
            <tr>
              <th scope="col">value</th>
              <th scope="col">keyword</th>
              <th scope="col">wants</th>
              <th scope="col">met</th>
              <th scope="col">broken</th>
            </tr>
          </thead>
          <tbody>
            {leastTried(keywords).slice(0, most).map((keyword) => {
              const [place, name, wanted, met, broken, numbers] = keyword;
              return (
                <tr>
                  <td>{place || "the body"}</td>
                  <td>{name}</td>
                  <td class="wanted">{wanted}</td>
                  <td>{met}</td>
                  <td class={broken ? "" : "never"}>{broken ? <Linked number={numbers[0]} cases={cases} text={String(broken)} /> : WORDS[exerciseOf(keyword)]}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
      {keywords.length > most ? (
        <button type="button" class="more" onClick={() => setMost(most + PAGE)}>
          Show more: {keywords.length - most} are left
        </button>
      ) : null}
    </section>
  );
}

function Operations({ contract, operations, cases }: { contract: string; operations: Operation[]; cases: Head[] }) {
  const [most, setMost] = useState(PAGE);
  const unasked = operations.filter((each) => !wasAsked(each)).length;
  const untold = operations.reduce((sum, each) => sum + neverAnswered(each).length, 0);
  return (
    <section aria-label={`Operations of ${contract}`}>
      <h2>Operations of {contract}</h2>
      <p class="note">
        Operations never asked: {unasked} of {operations.length}. Answers that never came: {untold}. What faults answer is not counted.
      </p>
      <div class="wide" tabIndex={0} role="region" aria-label={`Answers by ${contract}`}>
        <table class="changes">
          <thead>
            <tr>
              <th scope="col">operation</th>
              <th scope="col">answers</th>
            </tr>
          </thead>
          <tbody>
            {leastAsked(operations).slice(0, most).map((operation) => (
              <tr>
                <td>{operation[0]}</td>
                <td class="answers">
                  {operation[1].map(([status, count, numbers]) => (
                    <span class={count ? "" : "never"}>
                      {status} {count ? <Linked number={numbers[0]} cases={cases} text={`×${count}`} /> : "never"}
                    </span>
                  ))}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {operations.length > most ? (
        <button type="button" class="more" onClick={() => setMost(most + PAGE)}>
          Show more: {operations.length - most} are left
        </button>
      ) : null}
    </section>
  );
}

function Linked({ number, cases, text }: { number: number | undefined; cases: Head[]; text: string }) {
  const head = cases[number ?? -1];
  if (number === undefined || !head) return <>{text}</>;
  return (
    <a href={hashOf({ view: "case", number })} title={`first in ${head.file} › ${head.name}`}>
      {text}
    </a>
  );
}

function CaseLinks({ numbers, cases }: { numbers: number[]; cases: Head[] }) {
  const [most, setMost] = useState(CHIPS);
  return (
    <>
      {numbers.slice(0, most).map((number) => {
        const head = cases[number]!;
        return (
          <a class={`label ${head.outcome}`} href={hashOf({ view: "case", number })} title={head.file}>
            <span class="mark">{MARKS[head.outcome]}</span> {head.name}
          </a>
        );
      })}
      {numbers.length > most ? (
        <button type="button" class="label" onClick={() => setMost(numbers.length)}>
          {numbers.length - most} more
        </button>
      ) : null}
    </>
  );
}
