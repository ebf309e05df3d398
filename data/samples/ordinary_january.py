"""The ordinary mail of January, in the order of its dates."""

from __future__ import annotations

from samples.building import Person
from samples.files import calendar, pdf
from samples.mail import Mail
from samples.people import (
    ALERT_HEADERS,
    CLAIRE,
    GRACE,
    HOSTING,
    INES,
    LETTER,
    LETTER_HEADERS,
    LIST,
    LIST_HEADERS,
    OFFICE,
    OSKAR,
    PRIYA,
    RAFAEL,
    SUNNIVA,
    TEAM,
    TOMASZ,
    WATCH,
    WORKSHOP,
    YUKI,
)

JANUARY: tuple[Mail, ...] = (
    Mail(
        "new-year-order-book",
        "2026-01-05 08:41 +0100",
        OSKAR,
        [TEAM],
        "New year, new order book",
        """
Good morning all,

three orders are open: Porthollow (two gauges, April), Nordsiel (three, May)
and the loan unit for Donghai. Please put your holidays into the office
calendar before Friday, otherwise I plan without them.

The coffee machine is descaled. You are welcome.

Oskar
""",
    ),
    Mail(
        "re-new-year-order-book",
        "2026-01-05 09:55 +0000",
        PRIYA,
        [OSKAR],
        "Re: New year, new order book",
        """
> Please put your holidays into the office calendar before Friday

Done: 16 to 20 February, the rest depends on when the new radio boards come.
Firmware 4.2 needs one more week on the test bench.

Priya
""",
        cc=[TEAM],
        answers=["new-year-order-book"],
        transfer="7bit",
        charset="us-ascii",
    ),
    Mail(
        "kickoff-invitation",
        "2026-01-08 10:05 +0100",
        CLAIRE,
        [INES, TOMASZ, PRIYA],
        "Invitation: Porthollow kick-off, Thursday 15 January, 14:00",
        """
Dear all,

the harbour master joins us by phone. Agenda: power on the east quay, who
drills, who pays for the diver.

Claire
""",
        cc=[GRACE],
        invitation=calendar(
            "porthollow-kickoff",
            "20260115T130000Z",
            "20260115T140000Z",
            "Porthollow kick-off",
            "Workshop\\, first floor",
            CLAIRE.address,
        ),
    ),
    Mail(
        "re-kickoff-invitation",
        "2026-01-08 14:20 +0000",
        GRACE,
        [CLAIRE],
        "Re: Invitation: Porthollow kick-off, Thursday 15 January, 14:00",
        """
I'll be on the line. The survey of the quay is attached; the ladder on page
one is no longer there, a trawler took it in November.

Grace O'Dell
Harbour Master, Porthollow
""",
        cc=[INES, TOMASZ],
        files=[pdf("quay-survey-2025.pdf", "Porthollow, east quay", "Bollards 4 to 9, sheet piling, ladder")],
        answers=["kickoff-invitation"],
        transfer="7bit",
        charset="us-ascii",
    ),
    Mail(
        "rechnung-2026-0017",
        "2026-01-12 07:58 +0100",
        WORKSHOP,
        [OFFICE],
        "Rechnung 2026-0017 zu Ihrer Bestellung 884",
        """
Sehr geehrte Frau Albrecht,

anbei erhalten Sie die Rechnung über zwölf Schwimmergehäuse aus Bronze.
Bitte überweisen Sie den Betrag von 1.842,12 EUR bis zum 11. Februar.

Mit freundlichen Grüßen
Brückner Feinmechanik, Buchhaltung
""",
        files=[pdf("Rechnung-2026-0017.pdf", "Rechnung 2026-0017", "12 Gehäuse Bronze", "1.842,12 EUR")],
        charset="iso-8859-1",
    ),
    Mail(
        "alert-ph-02-silent",
        "2026-01-14 03:12 +0000",
        WATCH,
        [Person("", "oncall@saltmark.example"), INES],
        "[ALERT] PH-02 silent for 30 minutes",
        """
station:   PH-02 (Porthollow, fish market)
last seen: 2026-01-14T02:41:30Z, level 212 cm, battery 12.1 V
rule:      no reading for 30 minutes
""",
        headers=ALERT_HEADERS,
        transfer="7bit",
        charset="us-ascii",
    ),
    Mail(
        "alert-ph-02-back",
        "2026-01-14 03:47 +0000",
        WATCH,
        [Person("", "oncall@saltmark.example"), INES],
        "[OK] PH-02 is back after 65 minutes",
        """
station:   PH-02 (Porthollow, fish market)
last seen: 2026-01-14T03:46:30Z, level 241 cm, battery 12.0 V
missing:   13 readings, filled from the logger
""",
        headers=ALERT_HEADERS,
        answers=["alert-ph-02-silent"],
        transfer="7bit",
        charset="us-ascii",
    ),
    Mail(
        "letter-january",
        "2026-01-15 06:00 +0000",
        LETTER,
        [INES],
        "Slack Water No. 61: ice on the stilling well",
        """
THE SLACK WATER LETTER No. 61

* Ice on the stilling well: four harbours, four tricks
* A reader asks: does anybody still use paper rolls?
* Dates: Coastal Measurement Days, 16 to 18 June

Read on: https://slackwater.example.com/61
""",
        html="""
<html><body style="font-family: Georgia, serif">
<h1>The Slack Water Letter <small>No. 61</small></h1>
<ul><li><b>Ice on the stilling well:</b> four harbours, four tricks</li>
<li>A reader asks: does anybody still use paper rolls?</li>
<li>Dates: Coastal Measurement Days, 16 to 18 June</li></ul>
<p><a href="https://slackwater.example.com/61">Read on</a></p>
</body></html>
""",
        headers=LETTER_HEADERS,
    ),
    Mail(
        "mitsumori-no-onegai",
        "2026-01-19 09:03 +0900",
        YUKI,
        [CLAIRE],
        "潮位計の見積もりのお願い",
        """
オーブリ様

はじめまして。みなと港湾事務所の佐藤です。
古い験潮所の潮位計を二台、更新したいと考えております。
納期と概算の見積もりをお知らせいただけますでしょうか。

よろしくお願いいたします。
佐藤 由紀
""",
        transfer="base64",
    ),
    Mail(
        "fwd-mitsumori",
        "2026-01-20 11:12 +0100",
        CLAIRE,
        [INES],
        "Fwd: 潮位計の見積もりのお願い",
        """
Ines, can you find somebody who reads this better than my phone does? As far
as I can tell she wants two gauges and a price.

Claire

---------- Forwarded message ----------
From: 佐藤 由紀 <yuki.sato@minato-port.example>
Subject: 潮位計の見積もりのお願い

> 古い験潮所の潮位計を二台、更新したいと考えております。
> 納期と概算の見積もりをお知らせいただけますでしょうか。
""",
        answers=["mitsumori-no-onegai"],
        transfer="8bit",
    ),
    Mail(
        "list-sensor-drift",
        "2026-01-22 10:31 -0500",
        RAFAEL,
        [LIST],
        "[tide-users] Drift of pressure sensors in brackish water",
        """
Hello list,

we see 4 cm of drift a month on two sensors near a river mouth, none on the
third one outside. Cleaning helps for a week. Is it growth, or is it density?

Rafael
_______________________________________________
tide-users mailing list
https://lists.example.org/tide-users
""",
        headers=LIST_HEADERS,
        transfer="7bit",
        charset="us-ascii",
    ),
    Mail(
        "list-re-sensor-drift",
        "2026-01-23 08:50 +0100",
        SUNNIVA,
        [LIST],
        "Re: [tide-users] Drift of pressure sensors in brackish water",
        """
On 22 January Rafael Okafor wrote:
> Cleaning helps for a week. Is it growth, or is it density?

If cleaning helps it is growth. Wrap copper tape round the port, leave the
membrane free. Density would follow the rain, not the brush.

Sunniva
""",
        cc=[RAFAEL],
        headers=LIST_HEADERS,
        answers=["list-sensor-drift"],
    ),
    Mail(
        "list-re-re-sensor-drift",
        "2026-01-26 09:15 -0500",
        RAFAEL,
        [LIST],
        "Re: [tide-users] Drift of pressure sensors in brackish water",
        """
> Wrap copper tape round the port, leave the membrane free.

Taped on Saturday. Flat line since. I owe you a cardamom bun.

Rafael
""",
        headers=LIST_HEADERS,
        answers=["list-sensor-drift", "list-re-sensor-drift"],
        transfer="7bit",
        charset="us-ascii",
    ),
    Mail(
        "hosting-january",
        "2026-01-31 04:00 +0000",
        HOSTING,
        [OFFICE],
        "Your invoice NH-260131-88 is ready",
        """
Hello Saltmark Gauges,

your invoice for January is attached. Total: 38.40 EUR. There is nothing to
do, we charge the usual account on 5 February.
""",
        html="""
<html><body><table width="560"><tr><td>
<p>Hello Saltmark Gauges,</p>
<p>your invoice for January is attached. Total: <b>38.40&nbsp;EUR</b>.<br>
There is nothing to do, we charge the usual account on 5 February.</p>
</td></tr></table></body></html>
""",
        files=[pdf("NH-260131-88.pdf", "Nimbus Hosting", "January 2026", "38.40 EUR")],
        headers={"Auto-Submitted": "auto-generated"},
    ),
)
