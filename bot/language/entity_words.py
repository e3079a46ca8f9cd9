"""Words and signs that tell what a number is: currencies, months, orders, telephones, others.

They are folded (`normalise.fold`) before they are looked for, so one spelling of each is enough.
Words of several languages stand side by side, since customers mix them.
"""

from __future__ import annotations

from typing import Final

from bot.language.normalise import fold

# ISO codes and the signs, short forms and words that stand for them. A bare sign shared by several
# currencies is read as the most used one; "value" keeps what was read, "text" what was written.
_CURRENCIES: Final = {
    "USD": "$ us$ usd dollar dollars bucks dólares dólar डॉलर ഡോളർ ดอลลาร์ دولار ডলার டாலர்",
    "EUR": "€ eur euro euros यूरो يورو ยูโร ইউরো",
    "GBP": "£ gbp pound pounds quid",
    "INR": (
        "₹ inr rs rs. rupee rupees rupaye rupay रुपये रुपय रुपए रुपया रु രൂപ ரூபாய் ரூபா రూపాయ ರೂಪಾಯ"
        " રૂપિય રૂપિયા ਰੁਪਏ"
    ),
    "BDT": "৳ bdt taka টাকা",
    "PKR": "pkr روپے روپیہ",
    "THB": "฿ thb baht บาท",
    "SAR": "sar riyal riyals ريال",
    "AED": "aed dirham dirhams درهم",
    "EGP": "egp جنيه",
    "JPY": "¥ jpy yen 円",
    "CNY": "cny rmb yuan 元",
    "KRW": "₩ krw won 원",
    "RUB": "₽ rub рублей рубля руб",
    "TRY": "₺ lira tl",
    "MXN": "mxn pesos peso",
}
CURRENCY_OF: Final = {
    fold(word): code for code, words in _CURRENCIES.items() for word in words.split()
}

MONTHS: Final[dict[str, int]] = {
    fold(word): number
    for number, words in enumerate(
        (
            "january jan enero ene janvier januar जनवरी जानेवारी ജനുവരി มกราคม ม.ค. يناير",
            "february feb febrero février februar फरवरी फेब्रुवारी ഫെബ്രുവരി กุมภาพันธ์ ก.พ. فبراير",
            "march mar marzo mars märz मार्च മാർച്ച് มีนาคม มี.ค. مارس",
            "april apr abril abr avril अप्रैल एप्रिल ഏപ്രിൽ เมษายน เม.ย. أبريل",
            "may mayo mai मई मे മേയ് മെയ് พฤษภาคม พ.ค. مايو",
            "june jun junio juin juni जून ജൂൺ มิถุนายน มิ.ย. يونيو",
            "july jul julio juillet juli जुलाई जुलै ജൂലൈ กรกฎาคม ก.ค. يوليو",
            "august aug agosto ago août अगस्त ऑगस्ट ഓഗസ്റ്റ് สิงหาคม ส.ค. أغسطس",
            "september sep sept septiembre septembre सितंबर सप्टेंबर സെപ്റ്റംബർ กันยายน ก.ย. سبتمبر",
            "october oct octubre octobre oktober अक्टूबर ऑक्टोबर ഒക്ടോബർ ตุลาคม ต.ค. أكتوبر",
            "november nov noviembre novembre नवंबर नोव्हेंबर നവംബർ พฤศจิกายน พ.ย. نوفمبر",
            "december dec diciembre dic décembre dezember दिसंबर डिसेंबर ഡിസംബർ ธันวาคม ธ.ค. ديسمبر",
        ),
        start=1,
    )
    for word in words.split()
}


def _folded(words: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(fold(word) for word in words.split()))


NUMBER: Final = _folded(
    "no nr num number nummer id code is es ist hai नंबर नम्बर क्रमांक संख्या है número numero núm"
    " رقم رقمه هو หมายเลข เลขที่ คือ നമ്പർ ഐഡി নম্বর நம்பர் எண் numaram номер 号 番号"
)
"""Words between the word for an order and its number."""

ORDER: Final = _folded(
    "order ordr parcel package shipment tracking awb booking invoice pedido orden paquete envío"
    " commande bestell ordine ऑर्डर आर्डर ओर्डर पार्सल ഓർഡർ ഓർഡറ പാഴ്സൽ പാഴ്സല ออเดอร์ คำสั่งซื้อ พัสดุ طلب شحنة"
    " sipariş заказ 注文 订单 অর্ডার ஆர்டர் ఆర్డర్ ಆರ್ಡರ್ ઓર્ડર ਆਰਡਰ آرڈر سفارش pesanan"
)
"""Stems that say "the number beside me is an order", matched as beginnings of words."""

PHONE: Final = _folded(
    "phone call mobile cell whatsapp tel contact teléfono llám celular móvil फोन मोबाइल मोबाईल"
    " കോൾ കോള ഫോൺ ഫോണ മൊബൈൽ โทร เบอร์ هاتف جوال موبايل اتصل رقمي ফোন மொபைல் فون telefon телефон"
    " 电话 電話"
)

OTHER: Final = _folded(
    "pin pincode zip postal postcode otp code coupon voucher promo plz cep address account card upi"
    " utr transaction price price: mah pixels followers पिन पिनकोड ओटीपी कोड पता खाता കോഡ് പിൻ"
    " รหัส บัญชี ที่อยู่ código postal dirección cuenta رمز الرمز كود عنوان حساب পিন பின்"
)
"""Words beside a number that is no order: post codes, one-time codes, accounts."""
