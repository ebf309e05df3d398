"""A background job that empties a POP3 account into a dataset: it fetches, stores, and only then deletes.

    celery -A celery_sync worker
    celery -A celery_sync call celery_sync.sync_account --args '["support"]'

A worker may be killed at any moment: the job is delivered again, what the dataset holds is not stored twice,
and a mail is deleted only when its bytes were read back from the dataset and compared with the server's.
"""

import os

from accounts import DATASET, account
from celery import Celery

import pop3frames

app = Celery("celery_sync", broker=os.environ.get("CELERY_BROKER_URL", "amqp://"))
app.conf.update(
    result_backend=os.environ.get("CELERY_RESULT_BACKEND"),
    task_acks_late=True,  # a job is done when it is done, not when it is taken
    task_reject_on_worker_lost=True,  # one whose process was killed is delivered again
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
)
if folder := os.environ.get("CELERY_BROKER_FOLDER"):  # with CELERY_BROKER_URL=filesystem://, no server at all
    app.conf.broker_transport_options = {
        "data_folder_in": folder,
        "data_folder_out": folder,
        "control_folder": os.path.join(folder, "control"),  # noqa: PTH118  (what kombu takes)
    }


@app.task(
    autoretry_for=(pop3frames.POP3ConnectionError, pop3frames.POP3BusyError),
    retry_backoff=10,  # seconds, doubled each time: a refused password or a full disk is not tried again
    max_retries=6,
)
def sync_account(account_name):
    """Sync one account, named as in accounts.toml: a job carries no secret."""
    report = pop3frames.export_mailbox(
        account(account_name), DATASET, keep_raw=True, delete=True, progress=False
    )
    return {
        "synced": report.new,
        "failed": len(report.failed),
        "deleted": len(report.deleted.confirmed),
        "kept": len(report.deleted.refused) + len(report.deleted.unknown),
    }
