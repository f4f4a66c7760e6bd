// What was chosen, in full: a message, a request, a log line, a step. Where nothing is, what there is to choose from.

import { Code, Facts, Value } from "./facts.tsx";
import { markedLines } from "./json_lines.ts";
import { isError, said } from "./lanes.ts";
import type { Life } from "./ledger.ts";
import { Load } from "./load_figures.tsx";
import { LooksStrip } from "./looks_strip.tsx";
import { parsed, record, type Head, type LoadFigures, type Story } from "./model.ts";
import { Place } from "./place.tsx";
import { goodAt, sasIn } from "./sas.ts";
import { SpanDetails } from "./span_details.tsx";
import { moment, span } from "./time.ts";
import { TransactionDetails } from "./transaction_details.tsx";

interface Props {
  head: Head;
  story: Story;
  lives: Life[];
  selected: string;
  select: (id: string) => void;
}

export function Details(props: Props) {
  return (
    <section class="pane details" aria-label="Details" tabIndex={0}>
      {chosen(props) ?? <Overview {...props} />}
    </section>
  );
}

function chosen({ story, lives, selected, select }: Props) {
  const [kind, number] = selected.split(":");
  const index = Number(number);
  switch (kind) {
    case "message": {
      const life = lives.find((each) => each.key === index);
      return life && <MessageDetails life={life} story={story} select={select} />;
    }
    case "request": {
      const each = story.exchanges[index];
      return each && <RequestDetails summary={each.summary} at={each.at} ms={each.ms} caller={each.caller} target={each.target} view={record(each.view)} raw={each.view} />;
    }
    case "line": {
      const line = story.lines[index];
      return line && <LineDetails at={line[0]} service={`${line[1]}.${line[2]}`} text={line[3]} />;
    }
    case "step": {
      const step = story.steps[index];
      if (!step) return null;
      return (
        <>
          <h2>Step · {step.verb}</h2>
          <Facts rows={{ name: step.name, outcome: step.ok ? "✓ passed" : "✕ failed", at: moment(step.at), took: span(step.ms), waiting: span(step.waiting), tries: step.tries }} />
          {step.looks?.length ? (
            <>
              <h3>What it saw</h3>
              <LooksStrip looks={step.looks} ok={step.ok} />
            </>
          ) : null}
          {step.verb === "load" && step.shown ? <Load figures={record(step.shown) as unknown as LoadFigures} /> : null}
          <p class="where-is">
            <Place file={step.file} line={step.line} />
          </p>
        </>
      );
    }
    case "entry": {
      const entry = story.entries[index];
      if (!entry) return null;
      return (
        <>
          <h2>{entry.event.replaceAll("_", " ")}</h2>
          <Facts rows={{ at: moment(entry.at), where: entry.entity, who: entry.who, session: entry.session, number: entry.n, ...record(entry.details) }} />
        </>
      );
    }
    case "moment": {
      const found = story.moments[index];
      return found && (
        <>
          <h2>{found[1]}</h2>
          <Facts rows={{ at: moment(found[0]) }} />
          <Code text={found[2]} />
        </>
      );
    }
    case "fault": {
      const found = story.faults[index];
      return found && (
        <>
          <h2>Fault</h2>
          <Facts rows={{ at: moment(found.at), at_what: found.target, what: found.text }} />
        </>
      );
    }
    case "span": {
      const found = story.spans[index];
      return found && <SpanDetails span={found} story={story} select={select} />;
    }
    case "transaction": {
      const found = story.transactions[index];
      return found && <TransactionDetails transaction={found} />;
    }
    case "session": {
      const entry = story.entries[index];
      return entry && (
        <>
          <h2>Session {entry.session}</h2>
          <Facts rows={{ of: entry.entity, accepted: moment(entry.at), by: entry.who, as: entry.who_as }} />
        </>
      );
    }
    case "exit": {
      const found = story.exits[index];
      return found && (
        <>
          <h2>Exit of {found.service}</h2>
          <Facts rows={{ at: moment(found.at), replica: found.replica, [found.code < 0 ? "signal" : "code"]: Math.abs(found.code), expected: found.expected ? "yes, it was told to" : "no" }} />
        </>
      );
    }
    default:
      return null;
  }
}

function MessageDetails({ life, story, select }: { life: Life; story: Story; select: (id: string) => void }) {
  const properties = record(JSON.stringify(life.props["application_properties"] ?? {}));
  const others = Object.fromEntries(Object.entries(life.props).filter(([key]) => !["application_properties", "message_id", "body_type"].includes(key)));
  return (
    <>
      <h2>Message {life.seq ? `seq ${life.seq}` : ""} · {short(life.queue)}</h2>
      <Facts rows={{ id: life.id, enqueued: `${moment(life.at)}${life.sender ? ` by ${life.sender}` : ""}`, sent_as: life.senderAs, outcome: life.outcome.replaceAll("_", " "), settled: life.settled === null ? "" : moment(life.settled), reason: life.reason, description: life.description, ...others }} bad={["dead_lettered", "expired"].includes(life.outcome) ? "outcome" : ""} />
      {life.original ? <Other life={life.original} word="It came from" select={select} /> : null}
      {life.deadLetter ? <Other life={life.deadLetter} word="It is now in" select={select} /> : null}
      <h3>Body</h3>
      <Body text={life.body} wrong={life.wrong} />
      <SasFacts text={life.body} story={story} at={life.deliveries.at(-1)?.from ?? life.at} />
      {Object.keys(properties).length ? (
        <>
          <h3>Application properties</h3>
          <Facts rows={properties} />
        </>
      ) : null}
      <h3>{life.deliveries.length === 1 ? "1 delivery" : `${life.deliveries.length} deliveries`}</h3>
      <ol class="deliveries">
        {life.deliveries.map((each) => (
          <li class={["lock_expired", "abandoned", "dead_lettered"].includes(each.end) ? "bad" : ""}>
            <b>{each.who || "?"}</b> {moment(each.from)} – {each.to === null ? "not ended" : moment(each.to)}
            {each.to === null ? "" : `, ${span(each.to - each.from)}`} · {each.end.replaceAll("_", " ") || "has it still"}
            {each.renewed.length ? ` · renewed ×${each.renewed.length}` : ""}
            {each.as ? <small> as {each.as}</small> : null}
          </li>
        ))}
      </ol>
      <h3>History</h3>
      <ol class="history">
        {life.history.map((each) => (
          <li>
            <span class="at">{moment(each.at)}</span> {each.event.replaceAll("_", " ")}
          </li>
        ))}
      </ol>
    </>
  );
}

/** A body, with what its schema finds wrong at the places where it stands. */
function Body({ text, wrong }: { text: string; wrong: Life["wrong"] }) {
  const value = parsed(text);
  if (!wrong.length) return <Value text={text} />;
  const lines = typeof value === "object" && value !== null ? markedLines(value, wrong) : [{ text: text || "(empty)", wrong: wrong.map(([, sentence]) => sentence) }];
  return (
    <>
      <p class="actual">✕ {wrong.length === 1 ? "1 thing is" : `${wrong.length} things are`} not as the queue's schema says</p>
      <pre class="code" tabIndex={0}>
        {lines.map((line) => (
          <>
            {line.wrong.length ? <mark>{line.text}</mark> : line.text}
            {line.wrong.map((sentence) => (
              <span class="actual">{`  ✕ ${sentence}`}</span>
            ))}
            {"\n"}
          </>
        ))}
      </pre>
    </>
  );
}

/** The signatures in a body. By the machine's clock it is told whether they were good; not where the case had a time of its own. */
function SasFacts({ text, story, at }: { text: string; story: Story; at: number }) {
  const ownTime = story.moments.some(([, actor]) => actor === "clock");
  return (
    <>
      {sasIn(text).map((sas) => {
        const verdict = ownTime ? "" : goodAt(sas, story.started * 1000 + at);
        return (
          <>
            <h3>SAS in it</h3>
            <Facts rows={{ for: sas.kind, resource: sas.resource, may: sas.permissions, from: sas.from, until: sas.until, last_delivery: verdict, more: sas.more }} bad={verdict.startsWith("valid") ? "" : "last_delivery"} />
          </>
        );
      })}
    </>
  );
}

function Other({ life, word, select }: { life: Life; word: string; select: (id: string) => void }) {
  return (
    <p>
      {word}{" "}
      <button type="button" class="link" onClick={() => select(`message:${life.key}`)}>
        {short(life.queue)}, seq {life.seq}
      </button>
    </p>
  );
}

function RequestDetails({ summary, at, ms, caller, target, view, raw }: { summary: string; at: number; ms: number | null; caller: string; target: string; view: Record<string, unknown>; raw: string }) {
  const { headers, body, answer_headers: answerHeaders, answer_body: answerBody, answer, query, json, ...rest } = view;
  return (
    <>
      <h2>Request · {target}</h2>
      <p class="summary">{summary}</p>
      <Facts rows={{ at: moment(at), took: ms === null ? "" : span(ms), from: caller, ...plain(rest) }} />
      {Object.keys(view).length ? null : <Code text={raw} />}
      <Part title="Query" value={query} />
      <Part title="Head" value={headers} />
      <Part title="Body" value={body ?? json} />
      <Part title="Head of the answer" value={answerHeaders} />
      <Part title="Answer" value={answerBody ?? answer} />
      {Object.entries(rest).filter(([, value]) => typeof value === "object" && value !== null && Object.keys(value).length).map(([key, value]) => <Part title={key.replaceAll("_", " ")} value={value} />)}
    </>
  );
}

function plain(values: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => typeof value !== "object"));
}

function Part({ title, value }: { title: string; value: unknown }) {
  if (value === undefined || value === null || value === "") return null;
  if (typeof value === "object" && !Object.keys(value).length) return null;
  return (
    <>
      <h3>{title}</h3>
      {typeof value === "string" ? <Value text={value} /> : isFlat(value) ? <Facts rows={value as Record<string, unknown>} /> : <Code text={JSON.stringify(value, null, 2)} />}
    </>
  );
}

function isFlat(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value) && Object.values(value).every((each) => typeof each !== "object");
}

function LineDetails({ at, service, text }: { at: number; service: string; text: string }) {
  const { exception, stack, stacktrace, ...fields } = record(text);
  const trace = exception ?? stack ?? stacktrace;
  return (
    <>
      <h2>Log line · {service}</h2>
      <Facts rows={{ at: moment(at), ...plain(fields) }} bad={isError(text) ? "level" : ""} />
      {Object.entries(fields).filter(([, value]) => typeof value === "object" && value !== null).map(([key, value]) => <Part title={key} value={value} />)}
      {trace ? <Part title="Exception" value={trace} /> : null}
      {Object.keys(fields).length ? null : <Code text={text} />}
    </>
  );
}

function Overview({ head, story, lives, select }: Props) {
  const queues = new Map<string, Map<string, number>>();
  for (const life of lives) {
    const counts = queues.get(life.queue) ?? new Map<string, number>();
    queues.set(life.queue, counts.set(life.outcome, (counts.get(life.outcome) ?? 0) + 1));
  }
  const errors = story.lines.map((line, index) => ({ line, index })).filter(({ line }) => isError(line[3]));
  return (
    <>
      <h2>Overview</h2>
      <Facts rows={{ set_up: span(head.seconds[0] * 1000), waiting: span(head.seconds[1] * 1000), working: span(head.seconds[2] * 1000), covers: head.covers.join(", "), tags: head.tags.join(", "), requests: story.exchanges.length, messages: lives.length }} />
      {errors.length ? (
        <>
          <h3>{errors.length === 1 ? "1 error was logged" : `${errors.length} errors were logged`}</h3>
          {errors.slice(0, 12).map(({ line, index }) => (
            <button type="button" class="event alarming" onClick={() => select(`line:${index}`)}>
              <span class="at">{moment(line[0])}</span>
              <span class="actor">{line[1]}</span>
              <span class="text">✕ {said(line[3])}</span>
            </button>
          ))}
        </>
      ) : null}
      {queues.size ? (
        <>
          <h3>Messages</h3>
          <Facts rows={Object.fromEntries([...queues].map(([queue, counts]) => [short(queue), [...counts].map(([outcome, count]) => `${count} ${outcome.replaceAll("_", " ")}`).join(", ")]))} />
        </>
      ) : null}
      {story.reason ? (
        <>
          <h3>Reason</h3>
          <Code text={story.reason} />
        </>
      ) : null}
      {story.traceback ? (
        <>
          <h3>Traceback</h3>
          <Code text={story.traceback} />
        </>
      ) : null}
      {story.left.length ? (
        <>
          <h3>Left out here</h3>
          {story.left.map((text) => (
            <p class="note">{text}</p>
          ))}
        </>
      ) : null}
      <p class="hint">Choose a message, a request or a line to see all of it.</p>
    </>
  );
}

function short(queue: string): string {
  return queue.replace(/\/\$deadletterqueue$/i, " † dead letters");
}
