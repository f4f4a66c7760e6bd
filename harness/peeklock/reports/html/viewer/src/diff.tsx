// Expected beside actual: as a tree where the actual value is known, else as a list.

import { parsed, type Failure } from "./model.ts";
import { treeOf, type Node } from "./tree.ts";

export function Diff({ failure }: { failure: Failure }) {
  const { mismatches } = failure;
  const actual = parsed(failure.actual);
  return (
    <div class="diff">
      {failure.headline ? <p class="headline">{failure.headline}</p> : null}
      {mismatches.length && typeof actual === "object" && actual !== null ? (
        <ul class="tree" aria-label="Expected and actual">
          <Branch node={treeOf(actual, mismatches)} name="" />
        </ul>
      ) : (
        mismatches.map(([path, expected, found]) => <Pair path={path} expected={expected} actual={found} />)
      )}
      {!mismatches.length && failure.actual ? (
        <details>
          <summary>actual</summary>
          <pre>{JSON.stringify(actual, null, 1)}</pre>
        </details>
      ) : null}
      {failure.notes.map((note) => (
        <p class="note">{note}</p>
      ))}
      {failure.also.map((text) => (
        <p class="note">
          <b>also</b> {text}
        </p>
      ))}
    </div>
  );
}

function Pair({ path, expected, actual }: { path: string; expected: string; actual: string }) {
  return (
    <div class="pair">
      {path ? <div class="path">{path}</div> : null}
      <dl>
        <div>
          <dt>expected</dt>
          <dd class="expected">{expected}</dd>
        </div>
        <div>
          <dt>actual</dt>
          <dd class="actual">{actual}</dd>
        </div>
      </dl>
    </div>
  );
}

function Branch({ node, name }: { node: Node; name: string }) {
  const differing = node.children.filter((child) => child.differs);
  const same = node.children.filter((child) => !child.differs);
  const many = node.differs && differing.length ? 4 : 30;
  return (
    <li class={node.expected === null ? "" : "differs"}>
      {name ? <span class="key">{name}</span> : null}
      {node.expected !== null ? <Pair path="" expected={node.expected} actual={node.actual || node.value} /> : <span class="value"> {node.value}</span>}
      {node.children.length && (node.expected === null || differing.length) ? (
        <ul>
          {differing.map((child) => (
            <Branch node={child} name={child.key} />
          ))}
          {same.length > many ? (
            <li>
              <details>
                <summary>{same.length} more that are right</summary>
                <ul>
                  {same.map((child) => (
                    <Branch node={child} name={child.key} />
                  ))}
                </ul>
              </details>
            </li>
          ) : (
            same.map((child) => <Branch node={child} name={child.key} />)
          )}
        </ul>
      ) : null}
    </li>
  );
}
