"""The ordinary mail of April, in the order of its dates."""

from __future__ import annotations

from samples.building import File, wire
from samples.files import archive, pdf, png, xlsx
from samples.mail import Mail
from samples.people import (
    CLAIRE,
    CONFERENCE,
    HOSTING,
    INES,
    LIST,
    LIST_HEADERS,
    OFFICE,
    OSKAR,
    PRIYA,
    RAIL,
    SUNNIVA,
    TEAM,
    TOMASZ,
    UWE,
    YUKI,
)

INK = {"#": (20, 30, 60), ".": (250, 250, 245), "~": (70, 130, 180), "r": (190, 40, 40)}
BARCODE = png("barcode.png", ["#.##.#.#..##.#.#", "#.##.#.#..##.#.#", "#.##.#.#..##.#.#"], INK, zoom=3)

APRIL: tuple[Mail, ...] = (
    Mail(
        "rail-ticket",
        "2026-04-01 10:17 +0000",
        RAIL,
        [INES],
        "Your Railbird ticket for 16 June",
        """
Booking RB-55-1870
16 June 2026, 07:12, coach 4, seat 61 (window, quiet)
Keep the code of the HTML version ready.
""",
        html="""
<html><body><h3>Booking RB-55-1870</h3>
<p>16 June 2026, 07:12, coach 4, seat 61 (window, quiet)</p>
<p><img src="cid:barcode.png" alt="code" width="96"></p></body></html>
""",
        pictures=[BARCODE],
    ),
    Mail(
        "talk-accepted",
        "2026-04-07 11:30 +0100",
        CONFERENCE,
        [PRIYA],
        "Your talk is accepted: Fourteen months on one battery",
        """
Dear Priya Raman,

we are glad to have you on Wednesday, 17 June, 11:20. Please send the slides
by 8 June, as PDF.

The programme committee
""",
        cc=[INES],
    ),
    Mail(
        "re-talk-accepted",
        "2026-04-08 09:04 +0100",
        PRIYA,
        [INES],
        "Re: Your talk is accepted: Fourteen months on one battery",
        """
Told you. Outline attached, with the measurements that go into it. Could you
ask Mei whether we may show her tank?

P.
""",
        files=[
            archive(
                "talk.zip",
                {
                    "outline.txt": "1 What sleeps\n2 What must not sleep\n3 Fourteen months\n",
                    "current.csv": "state,mA\nsleep,0.08\nmeasure,21\nsend,140\n",
                },
            )
        ],
        answers=["talk-accepted"],
        transfer="7bit",
        charset="us-ascii",
    ),
    Mail(
        "list-harmonics-release",
        "2026-04-14 13:45 +0200",
        SUNNIVA,
        [LIST],
        "[tide-users] harmonics 2.0: now with shallow-water terms",
        """
Dear list,

harmonics 2.0 is out. It fits 37 constituents instead of 13, so the ugly
double low water at river mouths comes out right at last. Patch for old
station files below, as an attachment.

Sunniva
""",
        files=[
            File(
                "stations.diff",
                "text/x-diff; charset=utf-8",
                wire("--- a/stations\n+++ b/stations\n@@ -1 +1 @@\n-terms = 13\n+terms = 37\n"),
            )
        ],
        headers=LIST_HEADERS,
    ),
    Mail(
        "re-mitsumori",
        "2026-04-21 10:26 +0900",
        YUKI,
        [CLAIRE],
        "Re: 潮位計の見積もりのお願い",
        """
Dear Claire-san,

thank you for the quotation. We order two units. 注文書を添付いたします。
Please send them by sea, there is no hurry before September.

佐藤 由紀

> two gauges with mast, 10 weeks, price as attached
""",
        cc=[INES],
        files=[pdf("注文書.pdf", "Purchase order 26-041", "2 tide gauges")],
        answers=["mitsumori-no-onegai", "quotation-2026-011"],
        transfer="base64",
    ),
    Mail(
        "aw-aw-angebot-nordsiel",
        "2026-04-23 11:08 +0200",
        UWE,
        [INES],
        "AW: AW: Angebot 2026-008: drei Pegel für Nordsiel",
        """
Sehr geehrte Frau Albrecht,

der Ausschuss hat zugestimmt, einstimmig und mit Applaus für den Eisbericht.
Die Bestellung folgt per Post, so will es die Satzung.

Mit freundlichem Gruß
U. Hartmann
""",
        cc=[OSKAR],
        answers=["angebot-2026-008", "aw-angebot-nordsiel", "eisbericht"],
        charset="iso-8859-1",
    ),
    Mail(
        "field-report-porthollow",
        "2026-04-24 18:21 +0200",
        TOMASZ,
        [TEAM],
        "Field report Porthollow, 15 and 16 April",
        """
Both new gauges are up, the bent mast is replaced. The diver found an anchor
from about 1900 under bollard 7, Grace wants it for the office.

Hours and material in the sheet.

Tomasz
""",
        files=[
            xlsx(
                "porthollow-hours.xlsx",
                [
                    ["who", "what", "hours"],
                    ["Tomasz", "mast", 6.5],
                    ["Ines", "levelling", 4],
                    ["diver", "", 3],
                ],
            ),
            png("anchor.png", ["..r..", ".rrr.", "..r..", "r.r.r", ".rrr."], INK),
        ],
        transfer="7bit",
        charset="us-ascii",
    ),
    Mail(
        "hosting-april",
        "2026-04-30 04:00 +0000",
        HOSTING,
        [OFFICE],
        "Your invoice NH-260430-97 is ready",
        """
Hello Saltmark Gauges,

your invoice for April is attached. Total: 41.90 EUR (you used 3.5 GB more
than your plan). We charge the usual account on 5 May.
""",
        html="""
<html><body><table width="560"><tr><td>
<p>Hello Saltmark Gauges,</p>
<p>your invoice for April is attached. Total: <b>41.90&nbsp;EUR</b>
(you used 3.5 GB more than your plan).</p>
</td></tr></table></body></html>
""",
        files=[pdf("NH-260430-97.pdf", "Nimbus Hosting", "April 2026", "41.90 EUR")],
        headers={"Auto-Submitted": "auto-generated"},
    ),
)
