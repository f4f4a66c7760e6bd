"""What the first screen of a report has to say about ten of the mutants, of all systems: docs/ten-failures.md has the pictures."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser

from tests.acceptance.browser import page_at

TELLS = {
    "dead_letter_reason_is_lost": ("was dead-lettered: no reason told", "reason=ContractViolation"),
    "defectiq_limits_all_keys_together": ("another key has a budget of its own", "429", "by this key"),
    "defectiq_worker_has_the_role_of_a_sender": ("it lacks {role: Azure Service Bus Data Receiver, on: defect-jobs}",),
    "duplicate_detection_is_off": ('outcome is "completed"', "has the id of seq 1, and neither was dropped"),
    "opal_signs_uploads_that_can_be_read": ("to read it", "expected 403, actual 200", "with a SAS (sp="),
    "opal_uploads_for_ever": ("at last: upload failed", "was still with orchestrator at the end"),
    "sitefit_does_not_renew": ("lost its lock with worker", 'expected something that contains "renewed"'),
    "sitefit_stores_what_breaks_the_contract": ('json.status: expected "failed", actual "succeeded"', "101"),
    "worker_completes_before_it_publishes": ("the query is settled once, after its result", "settled_at"),
    "worker_retries_on_403": ("MaxDeliveryCountExceeded", "download failed 3 times, last: HTTP 403"),
}
_SEEN = """() => {
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), range = document.createRange(), seen = [];
  while (texts.nextNode()) {
    range.selectNodeContents(texts.currentNode);
    const [line] = range.getClientRects();
    const there = line && document.elementFromPoint(line.left + 2, line.top + line.height / 2);
    if (there && (there.contains(texts.currentNode) || texts.currentNode.parentElement.contains(there))) seen.push(texts.currentNode.data);
  }
  return seen.join(" ").replace(/\\s+/g, " ");
}"""


def first_screen(opened: Browser, report: Path) -> str:
    """Return the text that one sees of a failed case at 1440×900, without a click."""
    with page_at(opened, report, "#/case/0") as page:
        page.locator(".panes").wait_for()
        return str(page.evaluate(_SEEN))
