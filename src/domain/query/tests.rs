//! The language, its errors, and what it finds.

use bson::{Bson, doc};
use proptest::prelude::*;

use super::*;
use crate::domain::Class;

fn filter(query: &str) -> Filter {
    parse(query).unwrap().resolve(Position::new(1_795_236_280, 1), Position::new(1_795_236_290, 1)).unwrap()
}

fn row<'a>() -> RowView<'a> {
    let pos = Position::new(1_795_236_280, 321);
    RowView { pos, kind: OpKind::Delete, ns: "shop.orders", size: 1024, txn: Some("8f3aC2:17") }
}

#[test]
fn columns() {
    for (query, found) in [
        ("", true),
        ("op:delete", true),
        ("op:insert", false),
        ("-op:insert", true),
        ("op:delete ns:shop.*", true),
        ("op:delete ns:zoo.*", false),
        ("-ns:shop.*", false),
        ("size:>1k", false),
        ("size:=1k", true),
        ("size:<1025", true),
        ("size:>1023b", true),
        ("txn:8F3ac", true),
        ("txn:*", true),
        ("txn:9", false),
        ("after:1795236280:321", true),
        ("before:1795236280:321", false),
        ("after:1795236280:322", false),
        ("before:1795236280,322", true),
        ("before:Timestamp(1795236280, 322) op:delete", true),
        ("after:2026-11-21T04:44:40Z", true),
        ("before:2026-11-21T04:44:40Z", false),
        ("-before:2026-11-21T04:44:40Z", true),
        ("after:\"2026-11-21 04:44:41\"", false),
        ("after:04:44:40 before:04:45", true),
        ("after:4:45", false),
        ("before:end", true),
        ("after:end", false),
    ] {
        assert_eq!(filter(query).matches_columns(&row()), found, "{query}");
        assert!(!filter(query).needs_body(), "{query}");
    }
    let none = RowView { txn: None, ..row() };
    assert!(!filter("txn:*").matches_columns(&none) && filter("-txn:*").matches_columns(&none));
    assert!(filter("txn:*").needs_txn() && !filter("op:noop").needs_txn());
    assert!(filter("ns:shop.* -ns:*.carts op:insert").matches_ns("shop.orders"));
    assert!(!filter("ns:shop.* -ns:*.carts").matches_ns("shop.carts"));
    assert!(filter("ns:shop.*").matches_ns("shop") && filter("ns:shop").matches_ns("shop"));
    assert!(!filter("ns:shop").matches_ns("shop.carts") && !filter("ns:shop.carts").matches_ns("shop"));
}

#[test]
fn a_time_of_day_needs_a_log_of_one_day() {
    let query = parse("after:14:30").unwrap();
    let day = 1_795_219_200; // 2026-11-21T00:00:00Z
    let filter = query.resolve(Position::new(day, 1), Position::new(day + 86_399, 9)).unwrap();
    assert_eq!(filter.range().start, Position::new(day + 14 * 3600 + 30 * 60, 0));
    let error = query.resolve(Position::new(day - 1, 1), Position::new(day, 9)).unwrap_err();
    assert_eq!(error.class, Class::Usage);
    assert!(error.cause.contains("2026-11-20") && error.cause.contains("2026-11-21"), "{error}");
    assert!(error.hint.contains("2026-11-20T14:30:00Z"), "{error}");
}

fn finds(query: &str, document: &bson::Document) -> bool {
    let bytes = bson::serialize_to_vec(document).unwrap();
    let filter = filter(query);
    assert!(filter.needs_body(), "{query}");
    filter.matches_body(&Body { key: &bytes, operation: &bytes })
}

#[test]
fn ids() {
    let oid = "6b0121b4036f2de18d5dea36";
    let uuid = "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d";
    let decimal = |text: &str| Bson::Decimal128(text.parse().unwrap());
    let yes: Vec<(String, Bson)> = vec![
        ("42".into(), Bson::Int32(42)),
        ("42".into(), Bson::Int64(42)),
        ("42".into(), Bson::Double(42.0)),
        ("42".into(), decimal("42.00")),
        ("42.0".into(), Bson::Int32(42)),
        ("9.99".into(), Bson::Double(9.99)),
        ("9.99".into(), decimal("9.99")),
        ("-0".into(), Bson::Int32(0)),
        ("\"42\"".into(), Bson::String("42".into())),
        ("\"a b\"".into(), Bson::String("a b".into())),
        ("abc-def".into(), Bson::String("abc-def".into())),
        (oid.into(), Bson::ObjectId(oid.parse().unwrap())),
        (oid.into(), Bson::String(oid.into())),
        (format!("{{\"$oid\": \"{oid}\"}}"), Bson::ObjectId(oid.parse().unwrap())),
        (uuid.into(), bson::Uuid::parse_str(uuid).unwrap().into()),
        ("true".into(), Bson::Boolean(true)),
        ("true".into(), Bson::String("true".into())),
        ("null".into(), Bson::Null),
        ("{\"$numberLong\": \"7\"}".into(), Bson::Int32(7)),
        ("{\"$numberDouble\": \"NaN\"}".into(), Bson::Double(f64::NAN)),
        ("{\"a\": 1, \"b\": [\"x y\"]}".into(), doc! { "a": 1_i64, "b": ["x y"] }.into()),
        (
            "{\"$date\": \"2020-01-01T00:00:00Z\"}".into(),
            bson::DateTime::from_millis(1_577_836_800_000).into(),
        ),
    ];
    for (text, id) in yes {
        assert!(finds(&format!("id:{text} -op:noop"), &doc! { "_id": id.clone() }), "{text} is {id}");
        assert!(!finds(&format!("-id:{text}"), &doc! { "_id": id }), "-{text}");
    }
    let no: Vec<(&str, Bson)> = vec![
        ("42", Bson::String("42".into())),
        ("42", Bson::Int32(43)),
        ("\"42\"", Bson::Int32(42)),
        ("9007199254740993", Bson::Double(9_007_199_254_740_992.0)),
        ("true", Bson::Int32(1)),
        ("{\"a\": 1}", doc! { "a": 1, "b": 1 }.into()),
        ("{\"a\": 1, \"b\": 2}", doc! { "b": 2, "a": 1 }.into()),
        ("{\"a\": 1}", Bson::Array(vec![])),
    ];
    for (text, id) in no {
        assert!(!finds(&format!("id:{text}"), &doc! { "_id": id.clone() }), "{text} is not {id}");
    }
    assert!(!finds("id:1", &doc! { "n": 1 }));
    let values = IdPattern::parse("4.2e1").unwrap().values().to_vec();
    assert_eq!(values[..3], [Bson::Int32(42), Bson::Int64(42), Bson::Double(42.0)]);
}

#[test]
fn words_and_expressions() {
    let body = doc! {
        "_id": 7, "email": "Ann@example.com", "deep": { "list": [1, { "price": 0.5 }] },
        "when": bson::DateTime::from_millis(0), "path": "/var/log", "yes": true,
    };
    for (query, found) in [
        ("Ann@example", true),
        ("ann@example", false),
        ("/(?i)^ann@/", true),
        ("price", true),
        ("0.5", true),
        ("/^0\\.5$/", true),
        ("1970-01-01", true),
        ("\"1970-01-01T00:00:00Z\"", true),
        ("\"/var/log\"", true),
        ("/\\/var\\/lo./", true),
        ("price nowhere", false),
        ("price -nowhere", true),
        ("true", true),
    ] {
        assert_eq!(finds(query, &body), found, "{query}");
    }
}

#[test]
fn bytes_that_cannot_be_read_are_searched_all_the_same() {
    let mut bytes = bson::serialize_to_vec(&doc! { "a": "needle", "b": 1 }).unwrap();
    let at = bytes.windows(2).position(|w| w == b"b\0").unwrap();
    bytes[at] = 0xff;
    assert!(filter("needle").matches_body(&Body { key: &bytes, operation: &bytes }));
}

#[test]
fn needles_stand_in_the_bytes() {
    let needles = |query: &str| filter(query).needles().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(needles("price 42 deadbeef rue shop@ -other /x/ Infin"), ["price", "shop@"]);
}

#[test]
fn errors_name_the_term_and_what_is_accepted() {
    for (query, term, cause) in [
        ("op:delte", "\"op:delte\" (character 1)", "insert update replace delete command noop"),
        ("ü  op:x", "\"op:x\" (character 4)", "no kind"),
        ("ns:", "\"ns:\"", "ns:shop.*"),
        ("foo:bar", "\"foo:bar\"", "double quotes"),
        ("after:yesterday", "\"after:yesterday\"", "14:30"),
        ("after:24:00", "\"after:24:00\"", "14:30"),
        ("before:2026-11-21T04:44:40.5Z", "before", "fraction"),
        ("size:1k", "size", "size:>1k"),
        ("size:>1x", "size", "k, m or g"),
        ("size:>99999999999g", "size", "k, m or g"),
        ("/a", "\"/a\"", "closing /"),
        ("/var/log", "\"/var/log\"", "\"log\" follows"),
        ("/(/", "\"/(/\"", "unclosed group"),
        ("\"a", "\"\\\"a\"", "closing quote"),
        ("\"a\"b", "character 1", "\"b\" follows"),
        ("a - b", "\"-\" (character 3)", "directly before"),
        ("a -", "\"-\" (character 3)", "none follows"),
        ("--a", "\"--a\"", "directly before"),
        ("id:", "\"id:\"", "id:42"),
        ("id:{a}", "\"id:{a}\"", "no JSON"),
        ("id:{\"$oid\":\"x\"}", "id:", "no Extended JSON"),
    ] {
        let error = parse(query).unwrap_err();
        assert_eq!(error.class, Class::Usage, "{query}");
        assert!(error.place.contains(term), "{query}: {error}");
        assert!(error.cause.contains(cause), "{query}: {error}");
        assert!(error.hint.contains("op: ns: id: after: before: txn: size:"), "{query}: {error}");
    }
}

fn when() -> impl Strategy<Value = When> {
    prop_oneof![
        (100_000_000..=u32::MAX, any::<u32>()).prop_map(|(s, i)| When::Place(Place::At(Position::new(s, i)))),
        any::<u32>().prop_map(|s| When::Place(Place::Second(s))),
        Just(When::Place(Place::End)),
        (0..DAY).prop_map(When::Clock),
    ]
}

fn test() -> impl Strategy<Value = Test> {
    let text = || "\\PC{1,12}|[-a-z\"/\\\\ :{}\n]{1,8}";
    prop_oneof![
        (0..6_usize).prop_map(|k| Test::Kind(OpKind::ALL[k])),
        text().prop_map(|s| Test::Ns(Glob::new(s))),
        text().prop_map(Test::Txn),
        ".{0,12}|[{\\[\"][a-z0-9\": ]{0,8}[}\\]\"]|-?[0-9]{1,25}(\\.[0-9]{1,3})?|[0-9a-f]{24}"
            .prop_filter_map("no _id", |s| IdPattern::parse(&s).ok().map(Test::Id)),
        when().prop_map(Test::After),
        when().prop_map(Test::Before),
        (prop_oneof![Just(Compare::Less), Just(Compare::Equal), Just(Compare::More)], any::<u64>())
            .prop_map(|(c, n)| Test::Size(c, n)),
        "\\PC{0,12}|[-a-z\"/\\\\ :\n]{1,8}".prop_map(Test::Word),
        "[-a-z\"/\\\\ .*()|]{0,8}"
            .prop_filter_map("no expression", |s| Pattern::new(&s).ok().map(Test::Regex)),
    ]
}

fn value() -> impl Strategy<Value = Bson> {
    let number = prop_oneof![-99i64..5000, any::<i64>()];
    let leaf = prop_oneof![
        number.prop_map(Bson::Int64),
        any::<i32>().prop_map(Bson::Int32),
        any::<f64>().prop_map(Bson::Double),
        (-9999i32..9999).prop_map(|n| Bson::Double(f64::from(n) / 100.0)),
        "-?[0-9]{1,9}(\\.[0-9]{1,4})?(E[0-9]{1,2})?".prop_map(|text| Bson::Decimal128(text.parse().unwrap())),
        prop_oneof![0i64..4_102_444_800_000, any::<i64>(), (0i64..4_102_444_800).prop_map(|s| s * 1000)]
            .prop_map(|millis| bson::DateTime::from_millis(millis).into()),
        any::<[u8; 12]>().prop_map(|id| bson::oid::ObjectId::from_bytes(id).into()),
        any::<[u8; 16]>().prop_map(|id| bson::Uuid::from_bytes(id).into()),
        (any::<u32>(), any::<u32>()).prop_map(|(time, increment)| bson::Timestamp { time, increment }.into()),
        any::<bool>().prop_map(Bson::Boolean),
        Just(Bson::Null),
        Just(Bson::MinKey),
        "\\PC{0,12}|[0-9.:]{0,9}".prop_map(Bson::String),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Bson::Array),
            prop::collection::vec(("[a-e0-9]{1,3}", inner), 0..3)
                .prop_map(|fields| Bson::Document(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_a_query_prints_is_that_query(terms in prop::collection::vec((any::<bool>(), test()), 0..5)) {
        let sense = |has| if has { Sense::Has } else { Sense::HasNot };
        let terms = terms.into_iter().map(|(has, test)| Term { sense: sense(has), test }).collect();
        let query = Query { terms };
        let printed = query.to_string();
        match parse(&printed) {
            Ok(again) => prop_assert_eq!(&again, &query, "{}", printed),
            Err(error) => prop_assert!(false, "{}: {}", printed, error),
        }
    }

    #[test]
    fn no_text_is_too_wild(text in ".{0,40}|[-a-z:\"/{}\\[\\]\\\\ <>=0-9,.()ü]{0,40}") {
        if let Ok(query) = parse(&text) {
            prop_assert_eq!(parse(&query.to_string()).unwrap(), query);
        }
    }

    /// The text of a document as a whole is the judge.
    #[test]
    fn a_word_is_found_where_the_text_has_it(
        fields in prop::collection::vec(("[a-e]{1,3}", value()), 1..6),
        more in prop::sample::select(&["42", "4", "-1", "e", "true", "1970", "T0", ":0", "00Z", ".5", "a", "NaN", "0-0", "E+"][..]),
        cut in any::<prop::sample::Index>(),
        length in 1usize..8,
    ) {
        let mut document = bson::Document::new();
        fields.iter().for_each(|(name, value)| {
            document.insert(name.clone(), value.clone());
        });
        let bytes = bson::serialize_to_vec(&document).unwrap();
        let mut all = Vec::new();
        document_text(&bytes, &mut |piece| {
            all.push(piece.to_owned());
            false
        });
        // A word that is there, and one that may be.
        let piece: Vec<char> = cut.get(&all).chars().collect();
        let from = cut.index(piece.len().max(1));
        let part: String = piece.iter().skip(from).take(length).collect();
        for word in [part.as_str(), more] {
            let want = all.iter().any(|piece| piece.contains(word));
            prop_assert_eq!(Word::new(word).is_in_document(&bytes), want, "{} in {:?}", word, all);
        }
    }

    #[test]
    fn no_bytes_are_too_wild(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let body = Body { key: &bytes, operation: &bytes };
        let filter = filter("-id:1 -zzzzzz");
        prop_assert!(filter.matches_body(&body) || body.id().is_some() || bytes.windows(6).any(|w| w == b"zzzzzz"));
    }
}
