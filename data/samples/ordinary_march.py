"""The ordinary mail of March, in the order of its dates."""

from __future__ import annotations

from samples.files import png
from samples.mail import Mail
from samples.people import (
    CLAIRE,
    CONFERENCE,
    ELLEN,
    GRACE,
    INES,
    LETTER,
    LETTER_HEADERS,
    MEI,
    OFFICE,
    OSKAR,
    PRIYA,
    TEAM,
    TOMASZ,
    WORKSHOP,
)

INK = {"#": (20, 30, 60), ".": (250, 250, 245), "~": (70, 130, 180), "r": (190, 40, 40)}
STAFF_GAUGE = png("PH-02-staff.png", [".##.", ".#..", ".##.", ".#..", "~##~", "~~~~"], INK)
BENT_MAST = png("PH-02-mast.png", ["...#", "..#.", ".#..", ".#..", "~#~~", "~~~~"], INK)

MARCH: tuple[Mail, ...] = (
    Mail(
        "re-releves-de-fevrier",
        "2026-03-03 09:48 +0100",
        CLAIRE,
        [ELLEN],
        "Re: Relevés de la marée, semaine du 16 février",
        """
Bonjour Ellen,

> la glace a soulevé le flotteur. C'est grave ?

Non. Si le zéro n'a pas bougé depuis, l'appareil n'a rien. Tomasz regardera
le câble en mai, à son passage.

Claire
""",
        cc=[INES],
        answers=["releves-de-fevrier"],
        charset="iso-8859-15",
    ),
    Mail(
        "call-for-talks",
        "2026-03-05 10:00 +0000",
        CONFERENCE,
        [OFFICE],
        "Coastal Measurement Days 2026: call for talks closes on 27 March",
        """
Dear colleagues,

talks of 20 minutes, posters, and this year a table where you may bring a
broken instrument and have it repaired in public. Send one page, no slides.

16 to 18 June, Old Fish Hall
https://cmd2026.example.org/talks
""",
        headers={"Precedence": "bulk"},
    ),
    Mail(
        "chuanganqi-yangpin",
        "2026-03-09 14:20 +0800",
        MEI,
        [PRIYA],
        "传感器样品已收到",
        """
您好，Priya：

两只压力传感器样品已经收到，包装完好。我们下周开始在水池中测试，
测试时间大约三周。结果出来后马上发给您。

陈美
东海实验室
""",
        cc=[INES],
        transfer="base64",
    ),
    Mail(
        "photos-from-the-market",
        "2026-03-11 16:33 +0000",
        GRACE,
        [TOMASZ],
        "PH-02 after the storm",
        """
Two pictures from the fish market. The staff is fine. The mast is not, but
it still sends. Can it wait until April?

Grace
""",
        cc=[INES],
        files=[STAFF_GAUGE, BENT_MAST],
        transfer="7bit",
        charset="us-ascii",
    ),
    Mail(
        "re-photos-from-the-market",
        "2026-03-12 07:40 +0100",
        TOMASZ,
        [GRACE],
        "Re: PH-02 after the storm",
        """
> Can it wait until April?

Yes, if nobody hangs fenders on it. I bring a new mast on the 15th.

Tomasz
""",
        cc=[INES],
        answers=["photos-from-the-market"],
        transfer="7bit",
        charset="us-ascii",
    ),
    Mail(
        "letter-march",
        "2026-03-17 06:00 +0000",
        LETTER,
        [INES],
        "Slack Water No. 63: equinox, check your bolts",
        """
THE SLACK WATER LETTER No. 63

* Equinox springs: check your bolts before the 21st
* Copper tape against growth, a list member's photographs

Read on: https://slackwater.example.com/63
""",
        html="""
<html><body style="font-family: Georgia, serif">
<h1>The Slack Water Letter <small>No. 63</small></h1>
<ul><li><b>Equinox springs:</b> check your bolts before the 21st</li>
<li>Copper tape against growth, a list member's photographs</li></ul>
<p><a href="https://slackwater.example.com/63">Read on</a></p>
</body></html>
""",
        headers=LETTER_HEADERS,
    ),
    Mail(
        "zahlungserinnerung",
        "2026-03-19 08:02 +0100",
        WORKSHOP,
        [OFFICE],
        "Zahlungserinnerung zu Rechnung 2026-0017",
        """
Sehr geehrte Frau Albrecht,

sicher ist es Ihrer Aufmerksamkeit entgangen: Die Rechnung 2026-0017 über
1.842,12 EUR ist noch offen. Sollten Sie inzwischen gezahlt haben, betrachten
Sie dieses Schreiben bitte als gegenstandslos.

Brückner Feinmechanik, Buchhaltung
""",
        answers=["rechnung-2026-0017"],
        charset="iso-8859-1",
    ),
    Mail(
        "wg-zahlungserinnerung",
        "2026-03-20 09:26 +0100",
        OSKAR,
        [INES],
        "WG: Zahlungserinnerung zu Rechnung 2026-0017",
        """
Ines, ist das nicht die, die wir wegen der zwei krummen Gehäuse gekürzt
haben? Ich rufe Herrn Brückner an, du brauchst nichts zu tun.

O.

> Die Rechnung 2026-0017 über 1.842,12 EUR ist noch offen.
""",
        answers=["rechnung-2026-0017", "zahlungserinnerung"],
        charset="windows-1252",
    ),
    Mail(
        "summer-time",
        "2026-03-27 16:10 +0100",
        OSKAR,
        [TEAM],
        "Summer time on Sunday: the gauges do not care",
        """
As every year: gauges run on UTC, people do not. Whoever is on call on Sunday
gets one hour less and a cake on Monday.

Oskar
""",
        transfer="7bit",
        charset="us-ascii",
    ),
)
