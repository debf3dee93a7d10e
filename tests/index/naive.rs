//! Search as the words of the design have it, without an index: decode every entry, split it
//! into its operations, ask the filter about each.

use bson::{Bson, Document};
use pitstop::domain::Position;
use pitstop::domain::op::OpKind;
use pitstop::domain::query::{Body, Filter, RowView};

/// One operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    pub pos: Position,
    pub kind: OpKind,
    pub ns: String,
    pub size: u64,
    pub txn: Option<String>,
    key: Vec<u8>,
    operation: Vec<u8>,
}

/// The operations of an oplog, in order.
pub fn operations(entries: &[Document]) -> Vec<Known> {
    let mut out = Vec::new();
    for entry in entries {
        let ts = entry.get_timestamp("ts").unwrap();
        split(entry, Position::new(ts.time, ts.increment), &txn(entry), &mut out);
    }
    out
}

fn split(entry: &Document, pos: Position, txn: &Option<String>, out: &mut Vec<Known>) {
    let o = entry.get_document("o").unwrap();
    if let (Ok("c"), Ok(list)) = (entry.get_str("op"), o.get_array("applyOps"))
        && !list.is_empty()
    {
        return list.iter().for_each(|op| split(op.as_document().unwrap(), pos, txn, out));
    }
    let o2 = entry.get_document("o2").ok().filter(|o2| o2.contains_key("_id"));
    let raw = |doc: &Document| bson::serialize_to_vec(doc).unwrap();
    out.push(Known {
        pos,
        kind: kind(entry.get_str("op").unwrap(), o),
        ns: namespace(entry, o),
        size: raw(entry).len() as u64,
        txn: txn.clone(),
        key: raw(o2.unwrap_or(o)),
        operation: raw(o),
    });
}

fn kind(op: &str, o: &Document) -> OpKind {
    match op {
        "i" => OpKind::Insert,
        "d" => OpKind::Delete,
        "u" if o.contains_key("_id") => OpKind::Replace,
        "u" => OpKind::Update,
        "c" => OpKind::Command,
        _ => OpKind::Noop,
    }
}

fn namespace(entry: &Document, o: &Document) -> String {
    let ns = entry.get_str("ns").unwrap();
    let db = ns.split('.').next().unwrap();
    match o.iter().next().filter(|_| entry.get_str("op").unwrap() == "c") {
        Some((name, _)) if name == "dropDatabase" => db.to_owned(),
        Some((name, Bson::String(from))) if name == "renameCollection" => from.clone(),
        Some((_, Bson::String(collection))) => format!("{db}.{collection}"),
        _ => ns.to_owned(),
    }
}

fn txn(entry: &Document) -> Option<String> {
    let o = entry.get_document("o").unwrap();
    let in_one = entry.get_str("op").unwrap() == "c"
        && !entry.contains_key("multiOpType")
        && ["applyOps", "commitTransaction", "abortTransaction"].iter().any(|name| o.contains_key(name));
    let Bson::Binary(session) = entry.get_document("lsid").ok().filter(|_| in_one)?.get("id")? else {
        return None;
    };
    let hex: String = session.bytes.iter().map(|b| format!("{b:02x}")).collect();
    Some(format!("{hex}:{}", entry.get_i64("txnNumber").unwrap()))
}

/// The numbers of the operations that match.
pub fn search(operations: &[Known], filter: &Filter) -> Vec<u64> {
    let matches = |known: &Known| {
        let view = RowView {
            pos: known.pos,
            kind: known.kind,
            ns: &known.ns,
            size: known.size,
            txn: known.txn.as_deref(),
        };
        let body = Body { key: &known.key, operation: &known.operation };
        filter.matches_columns(&view) && (!filter.needs_body() || filter.matches_body(&body))
    };
    (0..).zip(operations).filter(|(_, known)| matches(known)).map(|(n, _)| n).collect()
}
