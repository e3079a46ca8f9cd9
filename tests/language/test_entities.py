import pytest

from bot.language.entities import LOOKED_AT, extract, without_identifiers


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("where is my order 123456?", "order-number", "123456"),
        ("मेरा ऑर्डर १२३४५६ कहाँ है", "order-number", "123456"),
        ("رقم الطلب ١٢٣٤٥٦", "order-number", "123456"),
        ("คำสั่งซื้อ ๑๒๓๔๕๖๗๘๙๐", "order-number", "1234567890"),
        ("MEL-2024-00017 is late", "order-number", "MEL-2024-00017"),
        ("order #A-12345 has not come", "order-number", "A-12345"),
        ("my order id is 5567", "order-number", "5567"),
        ("order no. 55671 pls", "order-number", "55671"),
        ("#5567 still missing", "order-number", "5567"),
        ("mi pedido número 4411", "order-number", "4411"),
        ("+1 (800) 555-0142", "phone", "+18005550142"),
        ("May 5, 2026 is fine", "date", "2026-05-05"),
        ("on march 5 please", "date", "--03-05"),
        ("call me on +49 151 1234567", "phone", "+491511234567"),
        ("ring +44 (0)20 7946 0958", "phone", "+442079460958"),
        ("โทร +๖๖ (๐) ๘๑ ๒๓๔ ๕๖๗๘", "phone", "+66812345678"),
        ("رقمي ٠٠٩٧١ ٥٠ ١٢٣ ٤٥٦٧", "phone", "+971501234567"),
        ("call +999 123 456 789", "phone", "+999123456789"),
        ("call +49 15 11 22", "phone", "+49151122"),
        ("my number is 9876543210", "phone", "9876543210"),
        ("write to A.b+c@x.co.in please.", "email", "a.b+c@x.co.in"),
        ("I paid ₹1,23,456.50", "amount", "INR 123456.50"),
        ("1.234,56 € are gone", "amount", "EUR 1234.56"),
        ("refund of $1,200", "amount", "USD 1200"),
        ("500 baht", "amount", "THB 500"),
        ("ordered on 12/03/2026", "date", "2026-03-12"),
        ("bought on 3rd March 2026", "date", "2026-03-03"),
        ("5 मार्च को", "date", "--03-05"),
        ("๓ มีนาคม 2569", "date", "2026-03-03"),
        ("รับของ 9 ก.ค. 69", "date", "2026-07-09"),
        ("รับของ 9/7/69 ค่ะ", "date", "2026-07-09"),
        ("รับของ 9/7/26 ค่ะ", "date", "2026-07-09"),
        ("ได้รับเมื่อ9กรกฎาคมพ.ศ.2569นะ", "date", "2026-07-09"),
        ("9 जुलैला", "date", "--07-09"),
        ("BK-7741ยังไม่มา", "order-number", "BK-7741"),
        ("ऑर्डर 774190ची माहिती", "order-number", "774190"),
        ("774190ന്റെ", "order-number", "774190"),
        ("ഓർഡറിന്റെ നമ്പർ 7741", "order-number", "7741"),
        ("订单774190到哪了", "order-number", "774190"),
        ("注文7741はまだですか", "order-number", "7741"),
        ("الطلب774190متى", "order-number", "774190"),
        ("เบอร์0898765432ค่ะ", "phone", "0898765432"),
        ("ส่งมาที่ nok@example.orgนะคะ", "email", "nok@example.org"),
        ("750 രൂപയ്ക്ക്", "amount", "INR 750"),
        ("750 रुपयांना", "amount", "INR 750"),
        ("จ่าย750บาทแล้ว", "amount", "THB 750"),
        ("マイナス750円です", "amount", "JPY 750"),
        ("post code 682001", "number", "682001"),
        ("order sent to pin 682001", "number", "682001"),
        ("my otp is 774190", "number", "774190"),
        ("is the XR7500A in stock", "number", "XR7500A"),
        ("do you have ones like 774190 for my bedroom", "number", "774190"),
        ("it is 774190", "order-number", "774190"),
    ],
)
def test_finds_and_normalises(text: str, kind: str, value: str) -> None:
    assert [(entity.kind, entity.value) for entity in extract(text)] == [(kind, value)]


@pytest.mark.parametrize(
    "text",
    [
        "in 3 days",
        "mai 2 din se wait kar rahi hu",
        "order 2 of them",
        "iphone15 pro",
        "covid19",
        "",
        "2 items, size 10",
        "5 में से 2",
        "10000mah",
    ],
)
def test_leaves_ordinary_numbers_alone(text: str) -> None:
    assert extract(text) == ()


def test_offsets_are_those_of_the_customers_text() -> None:
    text = "मेरा ऑर्डर १२३४५६ कहाँ है"
    (entity,) = extract(text)
    assert text[entity.start : entity.end] == entity.text == "१२३४५६"


def test_order_and_phone_in_one_message_are_told_apart() -> None:
    kinds = [entity.kind for entity in extract("order 9876543210, call me at 9123456789")]
    assert kinds == ["order-number", "phone"]


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("where is my order #A-99812?", "where is my order ?"),
        ("मेरा ऑर्डर १२३४५६७ कहाँ है", "मेरा ऑर्डर कहाँ है"),
        ("call me at +49 151 12345678 about the sofa", "call me at about the sofa"),
        ("track 1Z999AA10123456784", "track"),
        ("I was charged $49.99 twice on 2026-03-09", "I was charged $49.99 twice on 2026-03-09"),
        ("A123456", "A123456"),
        ("BK-7741ยังไม่มา", "ยังไม่มา"),
        ("774190ची माहिती द्या", "माहिती द्या"),
        ("774190ന്റെ വിവരം", "വിവരം"),
        ("774190'in durumu", "durumu"),
        ("订单774190到哪了", "订单到哪了"),
        ("my two new iPhone15 are  broken", "my two new iPhone15 are  broken"),
    ],
)
def test_numbers_of_things_are_no_part_of_the_question(text: str, rest: str) -> None:
    assert without_identifiers(text) == rest


def test_values_are_looked_for_where_a_message_begins() -> None:
    filler = "please help me with this " * 60
    assert len(filler) > LOOKED_AT
    assert [e.value for e in extract(f"order 1234567 {filler} order 7654321")] == ["1234567"]
    cut = "x" * (LOOKED_AT - 10) + " order 1234567"
    assert extract(cut + "89") == (), "half a number is none"
