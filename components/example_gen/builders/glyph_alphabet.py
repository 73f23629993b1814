"""The 770 characters of `printed_glyphs` and the 24 scripts they belong to.

The list is written out, not derived from the fonts, so that labels and their numbers never move when a font gains a
character. Look-alikes across scripts (Latin A, Greek Alpha, Cyrillic А) are kept where an alphabet would be incomplete
without them, as real label sets have them too; combining marks and blanks are left out. "Script" is meant loosely:
arrows or currency signs are one as well.
"""

SCRIPTS: dict[str, str] = {
    "digits": "0123456789",
    "latin": (
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
        "ÆØßæðøĦħŁłŊŋŒœŧƁƂƃƆƊƍƎƏƒƔƕƖƛƜƣƦƨƩƪƱƳƴƵƹƺƻƿǂȝɒɔɕɜɞɤɥɧ"
        "ɮɰɲɶɸɹɾʁʄʇʉʊʋʌʍʑʒʓʔʕʖʘʝʞʢʤʧʨʩ"
    ),
    "greek": "ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩαβγδεζηθικλμνξοπρςστυφχψωϞϠ",
    "coptic": "ϢϣϤϥϦϧϨϩϪϫϬϭϮϯ",
    "cyrillic": "АБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЫЬЭЮЯбвгджзийклмнптуфцчшщъыьэюяЄЉЋЏєљњѣѫѲѴҐҨҩҰӁӘ",
    "armenian": "ԱԲԳԴԵԶԷԸԹԺԻԼԽԾԿՀՁՂՃՄՅՆՇՈՉՊՋՌՍՎՏՐՑՒՓՔՕՖաբգդեզէըթժիլխծկհձղճմյնշոչպջռսվտրցւփքօֆև",
    "georgian": "აბგდევზთიკლმნოპჟრსტუფქღყშჩცძწჭხჯჰ",
    "hebrew": "אבגדהוזחטיךכלםמןנסעףפץצקרשת",
    "arabic": "ءابجحدذرزسشصطعغفقكلمنهوىيکگ٢٤٦٧٩",
    "nko": "߃߄߆߈ߊߋߌߍߎߏߐߒߓߔߕߖߗߘߙߚߛߜߝߞߟߡߢߣߤߥ",
    "tifinagh": "ⴰⴱⴳⴵⴷⴹⴻⴼⵀⵃⵄⵅⵇⵉⵌⵍⵎⵏⵓⵔⵕⵗⵙⵚⵛⵝⵞⵟⵠⵢⵣ",
    "lao": "ກຂຄງຈຍດຕຖທນບປພມຣລວສຫອ໒໓໘",
    "canadian_aboriginal": "ᐁᐃᐅᐊᐯᐱᐳᐸᑌᑎᑐᑕᑫᑭᑯᑲᒉᒋᒍᒐᓀᓂᓄᓇᓓᓕᓗᓚᓭᓯᓱᓴᔐᔑᔓᔕᕂᕆᕈᕋᕓᕙ",
    "ogham": "ᚁᚂᚃᚆᚇᚈᚋᚍᚐᚑᚒᚓᚕᚖᚘ",
    "lisu": "ꓒꓕꓘꓙꓞꓨꓩꓭꓯꓱꓶꓷ",
    "old_italic": "𐌃𐌅𐌆𐌇𐌈𐌊𐌌𐌍𐌎𐌐𐌑𐌒𐌓𐌔𐌙𐌚𐌛𐌜𐌝𐌞",
    "fraktur": "𝔄𝔅𝔇𝔈𝔉𝔊𝔎𝔏𝔐𝔑𝔒𝔓𝔔𝔖𝔗𝔚𝔛𝔜",
    "punctuation": "!#%&*?@¡§¶¿†‽⁂",
    "currency": "¢£¤¥₤₩₫€₭₮₱₳₹₺₽",
    "arrows": "↔↕↖↞↦↩↬↯↳↺↼⇋⇒⇔⇕",
    "mathematical_operators": "+∂∈∑√∞∠∢∩∫∮∴∽≈≠≺⊆⊔⊗⊙⊞⊠⊨⋈⋉⋔",
    "box_drawing": "╔╠╡╣╤╦╨╩╪╫╬╳",
    "geometric_shapes": "■▢▦▱▲◆◈○●◐◒◜◢◩◪◫",
    "symbols": "★☁☂☃☎☢☮☯☿♀♂♃♄♈♌♏♑♓♠♪♫♯✂✈✓✚❄❤❦",
}

CHARACTERS: tuple[str, ...] = tuple("".join(SCRIPTS.values()))

_SCRIPT_OF = {character: script for script, characters in SCRIPTS.items() for character in characters}


def script_of(name: str) -> str:
    """Script of a character.

    Raises:
        ValueError: if `name` is not one of the 770 characters.
    """
    if name not in _SCRIPT_OF:
        raise ValueError(f"name={name!r} is not a character of printed_glyphs. Choose one of: {''.join(CHARACTERS)}")
    return _SCRIPT_OF[name]
