"""A web route that syncs a POP3 account into a dataset: POST /api/pop3/sync {"accountId": "support"}.

Answers {"synced": 35}, the messages that are new in the dataset; what it has is not fetched again, nothing is
deleted from the server. An error is answered by its kind, as {"error": ..., "message": ...}.
"""

from accounts import DATASET, account
from flask import Flask, request
from werkzeug.exceptions import BadRequest, NotFound

import pop3frames

app = Flask(__name__)

# The first that fits. A refusal by the mail server is not the caller's fault: 4xx would say so.
STATUSES = (
    (pop3frames.POP3BusyError, 503),  # the mailbox is in use: try again later
    (pop3frames.POP3AuthenticationError, 502),  # the stored user name or password is refused
    (pop3frames.POP3ConnectionError, 504),
    (pop3frames.POP3CommandError, 502),
    (pop3frames.POP3ExportError, 507),  # the dataset could not be written
    (pop3frames.POP3Error, 500),
)


@app.post("/api/pop3/sync")
def sync_pop3():
    """Sync one account. Two requests at once are safe: the dataset holds each mail once."""
    body = request.get_json()  # 415 or 400 for what is no JSON
    if not isinstance(body, dict) or not isinstance(body.get("accountId"), str):
        raise BadRequest('send {"accountId": "<the name of an account>"}')
    try:
        source = account(body["accountId"])
    except KeyError:
        raise NotFound("there is no such account") from None
    report = pop3frames.export_mailbox(source, DATASET, keep_raw=True, progress=False)
    answer = {"synced": report.new}
    if report.failed:
        answer["failed"] = len(report.failed)  # still on the server only: the next sync tries again
    return answer


@app.errorhandler(pop3frames.POP3Error)
def answer_error(error):
    """The status that fits the error; its message never holds a secret."""
    status = next(status for kind, status in STATUSES if isinstance(error, kind))
    headers = {}
    if status == 503:
        headers["Retry-After"] = str(int(error.retry_after or 60))
    return {"error": type(error).__name__, "message": str(error)}, status, headers


@app.errorhandler(400)
@app.errorhandler(404)
@app.errorhandler(415)
def answer_refusal(error):
    """What the caller did wrong, as JSON too."""
    return {"error": error.name, "message": error.description}, error.code
