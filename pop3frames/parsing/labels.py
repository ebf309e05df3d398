"""Which Python codec a charset label in a mail means. A table, and nothing else.

After the alias table of the Encoding Standard (https://encoding.spec.whatwg.org/#names-and-labels), because
mail programs lie in the same known ways as web pages: what claims to be ISO-8859-1 is really windows-1252,
what claims to be GB2312 is really GB18030, US-ASCII may be UTF-8. Added are the labels only mail has
(RFC 1468, RFC 1843, RFC 2152, "unknown-8bit" of RFC 1428) and the old DOS code pages.
"""

from __future__ import annotations

_TABLE = """
utf_8           utf-8 utf8 unicode-1-1-utf-8 unicode11utf8 unicode20utf8 x-unicode20utf8 utf-8-sig utf8mb4
utf_8           us-ascii ascii ansi_x3.4-1968 iso-ir-6 iso646-us us 646 cp367 unknown-8bit x-unknown unknown
utf_8           default default_charset 7bit 8bit binary
cp1252          windows-1252 cp1252 x-cp1252 iso-8859-1 iso8859-1 iso88591 iso_8859-1 iso_8859-1:1987
cp1252          iso-ir-100 latin1 latin-1 l1 ibm819 cp819 csisolatin1 ansi 8859_1
cp1252          iso-8859-1-windows-3.1-latin-1 iso-8859_1
cp1250          windows-1250 cp1250 x-cp1250
cp1251          windows-1251 cp1251 x-cp1251 win1251
cp1253          windows-1253 cp1253 x-cp1253
cp1254          windows-1254 cp1254 x-cp1254 iso-8859-9 iso8859-9 iso88599 iso_8859-9 iso_8859-9:1989
cp1254          iso-ir-148 latin5 l5 csisolatin5
cp1255          windows-1255 cp1255 x-cp1255
cp1256          windows-1256 cp1256 x-cp1256
cp1257          windows-1257 cp1257 x-cp1257
cp1258          windows-1258 cp1258 x-cp1258
cp874           windows-874 cp874 dos-874 iso-8859-11 iso8859-11 iso885911 tis-620 tis620
iso8859_2       iso-8859-2 iso8859-2 iso88592 iso_8859-2 iso_8859-2:1987 iso-ir-101 latin2 latin-2 l2
iso8859_2       csisolatin2
iso8859_3       iso-8859-3 iso8859-3 iso88593 iso_8859-3 iso_8859-3:1988 iso-ir-109 latin3 l3 csisolatin3
iso8859_4       iso-8859-4 iso8859-4 iso88594 iso_8859-4 iso_8859-4:1988 iso-ir-110 latin4 l4 csisolatin4
iso8859_5       iso-8859-5 iso8859-5 iso88595 iso_8859-5 iso_8859-5:1988 iso-ir-144 cyrillic
iso8859_5       csisolatincyrillic
iso8859_6       iso-8859-6 iso8859-6 iso88596 iso_8859-6 iso_8859-6:1987 iso-8859-6-e iso-8859-6-i
iso8859_6       iso-ir-127 arabic asmo-708 ecma-114 csisolatinarabic csiso88596e csiso88596i
iso8859_7       iso-8859-7 iso8859-7 iso88597 iso_8859-7 iso_8859-7:1987 iso-ir-126 greek greek8 ecma-118
iso8859_7       elot_928 sun_eu_greek csisolatingreek
iso8859_8       iso-8859-8 iso8859-8 iso88598 iso_8859-8 iso_8859-8:1988 iso-8859-8-e iso-8859-8-i
iso8859_8       iso-ir-138 hebrew visual logical csisolatinhebrew csiso88598e csiso88598i
iso8859_10      iso-8859-10 iso8859-10 iso885910 iso-ir-157 latin6 l6 csisolatin6
iso8859_13      iso-8859-13 iso8859-13 iso885913 latin7
iso8859_14      iso-8859-14 iso8859-14 iso885914 latin8
iso8859_15      iso-8859-15 iso8859-15 iso885915 iso_8859-15 latin9 latin-9 l9 csisolatin9
iso8859_16      iso-8859-16 iso8859-16 iso885916 latin10
koi8_r          koi8-r koi8_r koi8 koi cskoi8r
koi8_u          koi8-u koi8_u koi8-ru
cp437           cp437 ibm437 437 cspc8codepage437
cp850           cp850 ibm850 850 cspc850multilingual
cp852           cp852 ibm852 852
cp866           cp866 ibm866 866 csibm866
mac_roman       macintosh mac x-mac-roman csmacintosh
mac_cyrillic    x-mac-cyrillic x-mac-ukrainian
gb18030         gb18030 gb2312 gbk x-gbk gb_2312 gb_2312-80 csgb2312 csiso58gb231280 iso-ir-58 chinese cp936
gb18030         936 windows-936 ms936 euc-cn gb2312_charset x-euc-cn eucgb2312_cn
hz              hz-gb-2312 hz hz-gb
big5hkscs       big5 big5-hkscs big5hkscs cn-big5 csbig5 x-x-big5 cp950 950 windows-950 big5-eten big5_tw
cp932           shift_jis shift-jis sjis x-sjis csshiftjis ms932 ms_kanji windows-31j cp932 932 shiftjis
cp932           s-jis
euc_jp          euc-jp x-euc-jp cseucpkdfmtjapanese eucjp euc_jp
iso2022_jp_ext  iso-2022-jp csiso2022jp iso-2022-jp-1 iso-2022-jp-3 iso-2022-jp-ms cp50220 cp50221 jis
iso2022_jp_2    iso-2022-jp-2 csiso2022jp2
cp949           euc-kr euckr cseuckr csksc56011987 iso-ir-149 korean ks_c_5601-1987 ks_c_5601-1989 ks_c_5601
cp949           ksc5601 ksc_5601 ks_c_5601_1987 windows-949 cp949 949 uhc
johab           johab cp1361 ms1361
iso2022_kr      iso-2022-kr csiso2022kr
utf_7           utf-7 utf7 unicode-1-1-utf-7 csunicode11utf7 x-unicode-1-1-utf-7
utf_16          utf-16 utf16 unicode csunicode iso-10646-ucs-2 ucs-2
utf_16_le       utf-16le utf16le unicodefffe-le
utf_16_be       utf-16be utf16be unicodefffe
utf_32          utf-32 utf32 ucs-4 iso-10646-ucs-4
utf_32_le       utf-32le
utf_32_be       utf-32be
"""

CODECS: dict[str, str] = {
    label: codec for codec, *labels in map(str.split, _TABLE.strip().splitlines()) for label in labels
}
