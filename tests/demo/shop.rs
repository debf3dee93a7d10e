//! The day: customers come and go as they do, a job runs at night, a campaign goes out at nine,
//! an index is built, and twice somebody makes a mistake.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use bson::{Bson, Document, doc, oid::ObjectId};
use pitstop::domain::Position;

use super::log::{Entry, Log, Write};
use super::store::Collection;
use super::{DAY, Dice, at};

pub const COLLECTIONS: [&str; 5] = ["orders", "products", "customers", "carts", "sessions"];

/// Visits in each hour of the day.
const VISITS: [u64; 24] =
    [24, 14, 9, 6, 6, 10, 25, 50, 74, 93, 99, 102, 108, 99, 93, 93, 90, 93, 105, 118, 112, 87, 59, 37];
const SESSION_MS: u64 = 30 * 60 * 1000;

/// Everything that happened, and what was there at the moments that matter.
pub struct Day {
    pub entries: Vec<Entry>,
    pub snapshots: Vec<Snapshot>,
    /// "bulk delete", "bad deploy", "expired sessions": their own entries, in order.
    pub bursts: BTreeMap<&'static str, Vec<Position>>,
    /// States by label, in order: position of the last entry they include, collections.
    pub states: Vec<(&'static str, Position, Vec<Collection>)>,
}

/// A dump with `--oplog`: its collections were read one after the other while writes went on.
pub struct Snapshot {
    pub name: &'static str,
    pub gzip: bool,
    pub from: Position,
    pub through: Position,
    pub collections: Vec<Collection>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Visit,
    /// The rest of a visit, after a while: customer, session, steps still to come.
    Step(i32, String, u8),
    Progress(ObjectId),
    Expire,
    Idle,
    Register,
    Restock,
    Campaign,
    BuildIndex,
    /// Which dump, and how far it is.
    Dump(usize, usize),
    Remember(&'static str),
    Delete,
    Deploy,
}

struct Shop {
    collections: BTreeMap<&'static str, Collection>,
    log: Log,
    dice: Dice,
    agenda: BinaryHeap<Reverse<(u64, u64, Event)>>,
    /// Keeps events of the same moment in the order they were made.
    made: u64,
    counter: u32,
    process: [u8; 5],
    day: Day,
}

/// Lives through the day.
pub fn simulate() -> Day {
    let mut shop = Shop::stocked();
    shop.plan();
    while let Some(Reverse((ms, _, event))) = shop.agenda.pop() {
        if ms < at(24, 0, 0) {
            shop.log.reach(ms);
            shop.happen(event);
        }
    }
    shop.remember("end of day");
    let mut day = shop.day;
    day.entries = shop.log.entries;
    day
}

impl Shop {
    fn stocked() -> Shop {
        let mut dice = Dice(0x5ead_b10b);
        let index = |key: Document, name: &str| doc! { "v": 2, "key": key, "name": name };
        let unique = |key: Document, name: &str| doc! { "v": 2, "key": key, "name": name, "unique": true };
        let expire = doc! { "v": 2, "key": { "seen": 1 }, "name": "seen_1", "expireAfterSeconds": 1800 };
        let by_status = index(doc! { "status": 1, "created": -1 }, "status_1_created_-1");
        let mut make = |name, more| (name, Collection::new(name, &mut dice, more));
        let collections = BTreeMap::from([
            make("orders", vec![by_status, index(doc! { "customer": 1 }, "customer_1")]),
            make("products", vec![unique(doc! { "sku": 1 }, "sku_1"), index(doc! { "tags": 1 }, "tags_1")]),
            make("customers", vec![unique(doc! { "email": 1 }, "email_1")]),
            make("carts", vec![unique(doc! { "customer": 1 }, "customer_1")]),
            make("sessions", vec![expire]),
        ]);
        let day = Day { entries: vec![], snapshots: vec![], bursts: BTreeMap::new(), states: vec![] };
        let process = dice.bytes();
        let mut shop = Shop {
            collections,
            log: Log::new(0x0b5e_55ed),
            dice,
            agenda: BinaryHeap::new(),
            made: 0,
            counter: 0x2c_41d0,
            process,
            day,
        };
        for number in 1..=240 {
            let product = shop.product(number);
            shop.coll("products").insert(product);
        }
        for number in 1..=620 {
            let customer = shop.customer(number);
            shop.coll("customers").insert(customer);
        }
        for number in (1..=1470_u32).rev() {
            let order = shop.old_order(DAY - number * 1730);
            shop.coll("orders").insert(order);
        }
        shop
    }

    fn coll(&mut self, name: &'static str) -> &mut Collection {
        self.collections.get_mut(name).unwrap()
    }

    fn on(&mut self, ms: u64, event: Event) {
        self.made += 1;
        self.agenda.push(Reverse((ms, self.made, event)));
    }

    fn plan(&mut self) {
        for (hour, visits) in VISITS.into_iter().enumerate() {
            for _ in 0..visits {
                let ms = hour as u64 * at(1, 0, 0) + self.dice.below(at(1, 0, 0));
                self.on(ms, Event::Visit);
            }
            if hour > 5 {
                let ms = hour as u64 * at(1, 0, 0) + self.dice.below(at(1, 0, 0));
                self.on(ms, Event::Register);
            }
        }
        for minute in 0..24 * 60 {
            self.on(minute * at(0, 1, 0) + 17_342, Event::Expire);
        }
        for tick in 0..24 * 360 {
            self.on(tick * 10_000 + 4_118, Event::Idle);
        }
        self.on(at(3, 30, 0), Event::Restock);
        self.on(at(5, 0, 0) - 1, Event::Remember("before the gap"));
        self.on(at(9, 0, 20), Event::Campaign);
        self.on(at(10, 12, 9), Event::BuildIndex);
        for (dump, hour) in [2, 12].into_iter().enumerate() {
            for step in 0..=COLLECTIONS.len() + 1 {
                self.on(at(hour, 0, 0) + step as u64 * 9_700, Event::Dump(dump, step));
            }
        }
        self.on(at(14, 41, 7) + 12, Event::Delete);
        self.on(at(16, 20, 0) + 240, Event::Deploy);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Visit => self.visit(),
            Event::Step(customer, session, left) => self.step(customer, session, left),
            Event::Progress(order) => self.progress(order),
            Event::Expire => self.expire(),
            Event::Idle => {
                let last = self.log.last();
                if u64::from(last.secs - DAY) + 10 <= self.log.now() / 1000 {
                    self.log.noop();
                }
            }
            Event::Register => {
                let number = self.coll("customers").len() as i32 + 1;
                let customer = self.customer(number);
                self.insert("customers", customer);
            }
            Event::Restock => self.restock(),
            Event::Campaign => {
                for _ in 0..410 {
                    let wait = 20 + self.dice.below(80);
                    self.log.reach(self.log.now() + wait);
                    self.sign_in();
                }
            }
            Event::BuildIndex => self.build_index(),
            Event::Dump(dump, step) => self.dump(dump, step),
            Event::Remember(label) => self.remember(label),
            Event::Delete => self.delete_all_orders(),
            Event::Deploy => self.deploy(),
        }
    }

    fn visit(&mut self) {
        let (customer, session) = self.sign_in();
        let steps = 1 + self.dice.below(5) as u8;
        let wait = 8_000 + self.dice.below(60_000);
        self.on(self.log.now() + wait, Event::Step(customer, session, steps));
    }

    fn sign_in(&mut self) -> (i32, String) {
        let customers = self.coll("customers").len() as u64;
        let customer = 1 + self.dice.below(customers) as i32;
        let session: String = self.dice.bytes::<12>().iter().map(|b| format!("{b:02x}")).collect();
        let host = 1 + self.dice.below(254);
        let agent = *self.dice.pick(&["Firefox", "Chrome", "Safari", "App/4.2", "App/4.3"]);
        let seen = self.time();
        self.insert(
            "sessions",
            doc! {
                "_id": &session, "customer": customer, "seen": seen,
                "ip": format!("203.0.113.{host}"), "agent": agent,
            },
        );
        (customer, session)
    }

    fn step(&mut self, customer: i32, session: String, left: u8) {
        let seen = self.time();
        self.set("sessions", &Bson::from(session.as_str()), vec![("seen", seen.into())]);
        match self.dice.below(100) {
            0..=62 => self.fill_cart(customer),
            63..=90 => self.check_out(customer),
            91..=95 => self.move_house(customer),
            _ => self.correct_product(),
        }
        if left > 1 {
            let wait = 5_000 + self.dice.below(90_000);
            self.on(self.log.now() + wait, Event::Step(customer, session, left - 1));
        }
    }

    fn fill_cart(&mut self, customer: i32) {
        let product = 1 + self.dice.below(240) as i32;
        let item = doc! { "product": product, "qty": 1 + self.dice.below(3) as i32 };
        let now = self.time();
        match self.cart_of(customer) {
            None => {
                let id = self.object_id((DAY as u64 + self.log.now() / 1000) as u32);
                self.insert(
                    "carts",
                    doc! { "_id": id, "customer": customer, "items": [item], "updated": now },
                );
            }
            Some(id) => {
                let cart = self.coll("carts").get_mut(&id).unwrap();
                cart.insert("updated", now);
                let items = cart.get_array_mut("items").unwrap();
                items.push(item.clone().into());
                let added = doc! { "a": true, format!("u{}", items.len() - 1): item };
                let diff = doc! { "u": { "updated": now }, "sitems": added };
                self.update("carts", id, diff);
            }
        }
    }

    /// An order, the stock and the cart change together or not at all.
    fn check_out(&mut self, customer: i32) {
        let Some(cart) = self.cart_of(customer) else {
            return self.fill_cart(customer);
        };
        let cart = self.coll("carts").remove(&cart).unwrap();
        let mut lines = Vec::new();
        let mut writes = Vec::new();
        let mut total = 0.0;
        for item in cart.get_array("items").unwrap().clone() {
            let item = item.as_document().unwrap();
            let (id, qty) = (item.get_i32("product").unwrap(), item.get_i32("qty").unwrap());
            let products = self.coll("products");
            let (ns, uuid) = (products.ns(), products.uuid);
            let product = products.get_mut(&id.into()).unwrap();
            let price = product.get("price").unwrap().clone();
            let stock = product.get_i32("stock").unwrap() - qty;
            product.insert("stock", stock);
            writes.push((ns, uuid, Write::Update(id.into(), doc! { "u": { "stock": stock } })));
            total += price.as_f64().unwrap_or(0.0) * f64::from(qty);
            lines.push(doc! { "sku": product.get_str("sku").unwrap(), "qty": qty, "price": price });
        }
        let (now, secs) = (self.time(), DAY + (self.log.now() / 1000) as u32);
        let id = self.object_id(secs);
        let order = doc! {
            "_id": id, "customer": customer, "status": "paid", "items": lines,
            "total": (total * 100.0).round() / 100.0, "created": now, "updated": now,
        };
        self.coll("orders").insert(order.clone());
        let (orders, carts) = (self.collections["orders"].uuid, self.collections["carts"].uuid);
        writes.insert(0, ("shop.orders".into(), orders, Write::Insert(order)));
        let gone = Write::Delete(cart.get("_id").unwrap().clone());
        writes.push(("shop.carts".into(), carts, gone));
        self.log.transaction(writes);
        let wait = at(0, 5, 0) + self.dice.below(at(0, 50, 0));
        self.on(self.log.now() + wait, Event::Progress(id));
    }

    /// paid, packed, shipped, delivered.
    fn progress(&mut self, id: ObjectId) {
        let Some(order) = self.coll("orders").get(&id.into()) else { return };
        let next = match order.get_str("status").unwrap() {
            "paid" => "packed",
            "packed" => "shipped",
            _ => "delivered",
        };
        let now = self.time();
        if next == "shipped" {
            let parcel = format!("P{:09}", self.dice.below(1_000_000_000));
            let order = self.coll("orders").get_mut(&id.into()).unwrap();
            order.insert("status", next);
            order.insert("updated", now);
            order.insert("parcel", &parcel);
            let diff = doc! { "u": { "status": next, "updated": now }, "i": { "parcel": parcel } };
            self.update("orders", id.into(), diff);
        } else {
            self.set("orders", &id.into(), vec![("status", next.into()), ("updated", now.into())]);
        }
        if next != "delivered" {
            let wait = at(0, 20, 0) + self.dice.below(at(2, 0, 0));
            self.on(self.log.now() + wait, Event::Progress(id));
        }
    }

    fn move_house(&mut self, customer: i32) {
        let street = self.street();
        let document = self.coll("customers").get_mut(&customer.into()).unwrap();
        document.get_document_mut("address").unwrap().insert("street", &street);
        self.update("customers", customer.into(), doc! { "saddress": { "u": { "street": street } } });
    }

    /// The catalogue sends the whole product.
    fn correct_product(&mut self) {
        let id = 1 + self.dice.below(240) as i32;
        let now = self.time();
        let tag = *self.dice.pick(&["sale", "new", "gift", "eco"]);
        let product = self.coll("products").get_mut(&id.into()).unwrap();
        product.insert("tags", vec![tag, "home"]);
        product.insert("updated", now);
        let (product, uuid) = (product.clone(), self.collections["products"].uuid);
        self.log.write("shop.products", uuid, Write::Replace(product));
    }

    /// Every night: stock is counted, and carts that nobody came back to are put away.
    fn restock(&mut self) {
        for id in self.coll("products").ids() {
            let stock = 40 + self.dice.below(200) as i32;
            if self.coll("products").get(&id).unwrap().get_i32("stock").unwrap() < 60 {
                let wait = self.dice.below(40);
                self.log.reach(self.log.now() + wait);
                self.set("products", &id, vec![("stock", stock.into())]);
            }
        }
        for id in self.coll("carts").ids().into_iter().step_by(3) {
            let wait = 2 + self.dice.below(9);
            self.log.reach(self.log.now() + wait);
            self.coll("carts").remove(&id);
            let uuid = self.collections["carts"].uuid;
            self.log.write("shop.carts", uuid, Write::Delete(id));
        }
    }

    /// What the server does every minute for an index that expires.
    fn expire(&mut self) {
        let now = i64::from(DAY) * 1000 + self.log.now() as i64;
        let mut old: Vec<(bson::DateTime, Bson)> = Vec::new();
        for session in self.collections["sessions"].iter() {
            let seen = *session.get_datetime("seen").unwrap();
            if seen.timestamp_millis() + (SESSION_MS as i64) < now {
                old.push((seen, session.get("_id").unwrap().clone()));
            }
        }
        old.sort_by_key(|(seen, _)| *seen);
        let mut burst = Vec::new();
        let uuid = self.collections["sessions"].uuid;
        for (count, (_, id)) in old.into_iter().enumerate() {
            self.log.reach(self.log.now() + u64::from(count % 9 == 8));
            self.coll("sessions").remove(&id);
            self.log.plain("shop.sessions", uuid, Write::Delete(id));
            burst.push(self.log.last());
        }
        let largest = self.day.bursts.entry("expired sessions").or_default();
        if burst.len() > largest.len() {
            *largest = burst;
        }
    }

    fn build_index(&mut self) {
        let spec = doc! { "v": 2, "key": { "total": -1 }, "name": "total_-1" };
        let (build, builds) = (self.dice.uuid(), self.dice.uuid());
        let orders = self.collections["orders"].uuid;
        let ns = "config.system.indexBuilds";
        let record = doc! {
            "_id": build, "collectionUUID": orders, "commitQuorum": "votingMembers", "indexNames": ["total_-1"],
        };
        let about =
            |command: &str| doc! { command: "orders", "indexBuildUUID": build, "indexes": [spec.clone()] };
        self.log.plain(ns, builds, Write::Insert(record));
        self.log.command("shop", orders, about("startIndexBuild"));
        self.log.reach(self.log.now() + 31);
        let ready = doc! { "i": { "commitReadyMembers": ["db1.shop.example:27017"] } };
        self.log.plain(ns, builds, Write::Update(build.into(), ready));
        self.log.reach(self.log.now() + 4);
        self.log.command("shop", orders, about("commitIndexBuild"));
        self.log.plain(ns, builds, Write::Delete(build.into()));
        self.coll("orders").indexes.push(spec);
    }

    /// First the oplog's end is noted, then each collection is read, then the oplog's end again.
    fn dump(&mut self, dump: usize, step: usize) {
        let last = self.log.last();
        if step == 0 {
            let name = ["2026-10-14T02-00-00Z", "2026-10-14T12-00-00Z"][dump];
            let gzip = dump == 1;
            self.day.snapshots.push(Snapshot { name, gzip, from: last, through: last, collections: vec![] });
        } else if let Some(name) = COLLECTIONS.get(step - 1) {
            let read = self.collections[name].clone();
            self.day.snapshots[dump].collections.push(read);
        } else {
            self.day.snapshots[dump].through = last;
        }
    }

    /// `db.orders.deleteMany({})`, by somebody who took this for the test system.
    fn delete_all_orders(&mut self) {
        self.remember("before the bulk delete");
        let begun = self.log.now();
        let ids = self.coll("orders").ids();
        let uuid = self.collections["orders"].uuid;
        let (mut burst, mut count) = (Vec::new(), 0);
        let all = ids.len() as u64;
        for id in ids {
            self.log.reach(begun + count * 1_930 / all);
            self.coll("orders").remove(&id);
            self.log.plain("shop.orders", uuid, Write::Delete(id));
            burst.push(self.log.last());
            count += 1;
            if self.dice.below(70) == 0 {
                let customer = 1 + self.dice.below(620) as i32;
                match self.dice.below(4) {
                    0 => drop(self.sign_in()),
                    _ => self.fill_cart(customer),
                }
            }
        }
        self.day.bursts.insert("bulk delete", burst);
        self.remember("after the bulk delete");
    }

    /// `db.products.updateMany({}, {$set: {price: 0}})`, from a migration with a missing variable.
    fn deploy(&mut self) {
        self.remember("before the bad deploy");
        let uuid = self.collections["products"].uuid;
        let mut burst = Vec::new();
        for (count, id) in self.coll("products").ids().into_iter().enumerate() {
            self.log.reach(self.log.now() + u64::from(count % 4 == 3));
            self.coll("products").get_mut(&id).unwrap().insert("price", 0);
            self.log.plain("shop.products", uuid, Write::Update(id, doc! { "u": { "price": 0 } }));
            burst.push(self.log.last());
        }
        self.day.bursts.insert("bad deploy", burst);
        self.remember("after the bad deploy");
    }

    fn remember(&mut self, label: &'static str) {
        let state = (label, self.log.last(), self.collections.values().cloned().collect());
        self.day.states.push(state);
    }

    fn insert(&mut self, name: &'static str, document: Document) {
        self.coll(name).insert(document.clone());
        let (ns, uuid) = (self.coll(name).ns(), self.coll(name).uuid);
        self.log.write(&ns, uuid, Write::Insert(document));
    }

    /// Sets fields that are there already; says nothing about documents that are not.
    fn set(&mut self, name: &'static str, id: &Bson, fields: Vec<(&str, Bson)>) {
        let Some(document) = self.coll(name).get_mut(id) else { return };
        let mut changed = Document::new();
        for (field, value) in fields {
            if document.insert(field, value.clone()).unwrap() != value {
                changed.insert(field, value);
            }
        }
        if !changed.is_empty() {
            self.update(name, id.clone(), doc! { "u": changed });
        }
    }

    fn update(&mut self, name: &'static str, id: Bson, diff: Document) {
        let (ns, uuid) = (self.coll(name).ns(), self.coll(name).uuid);
        self.log.write(&ns, uuid, Write::Update(id, diff));
    }

    fn cart_of(&self, customer: i32) -> Option<Bson> {
        let mine = |cart: &&Document| cart.get_i32("customer").unwrap() == customer;
        self.collections["carts"].iter().find(mine).map(|cart| cart.get("_id").unwrap().clone())
    }

    fn time(&self) -> bson::DateTime {
        bson::DateTime::from_millis(i64::from(DAY) * 1000 + self.log.now() as i64)
    }

    fn object_id(&mut self, secs: u32) -> ObjectId {
        self.counter += 1;
        let mut bytes = [0; 12];
        bytes[..4].copy_from_slice(&secs.to_be_bytes());
        bytes[4..9].copy_from_slice(&self.process);
        bytes[9..].copy_from_slice(&self.counter.to_be_bytes()[1..]);
        ObjectId::from_bytes(bytes)
    }

    fn product(&mut self, number: i32) -> Document {
        let colour = *self.dice.pick(&["Blue", "Green", "Amber", "Slate", "Ivory", "Plum"]);
        let thing = *self.dice.pick(&["mug", "bowl", "plate", "teapot", "vase", "lamp", "tray", "jar"]);
        let cents = 390 + self.dice.below(6_000);
        doc! {
            "_id": number, "sku": format!("{}-{number:04}", thing[..2].to_uppercase()),
            "name": format!("{colour} {thing}"), "price": cents as f64 / 100.0,
            "stock": 40 + self.dice.below(200) as i32, "tags": ["home"],
            "updated": bson::DateTime::from_millis(i64::from(DAY - 86_400) * 1000),
        }
    }

    fn customer(&mut self, number: i32) -> Document {
        let first =
            *self.dice.pick(&["Ada", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gina", "Hugo", "Ines", "Jon"]);
        let last = *self.dice.pick(&["Abel", "Brook", "Cole", "Dorn", "Engel", "Frost", "Grant", "Hale"]);
        let city = *self.dice.pick(&["Northport", "Easton", "Southfield", "Westham"]);
        doc! {
            "_id": number, "email": format!("{}.{}{number}@example.com", first.to_lowercase(), last.to_lowercase()),
            "name": format!("{first} {last}"),
            "address": { "street": self.street(), "zip": format!("{:05}", self.dice.below(100_000)), "city": city },
            "joined": self.time(),
        }
    }

    fn street(&mut self) -> String {
        let street = *self.dice.pick(&["Mill Lane", "High Street", "Station Road", "Park Row", "Elm Walk"]);
        format!("{} {street}", 1 + self.dice.below(180))
    }

    fn old_order(&mut self, secs: u32) -> Document {
        let product = 1 + self.dice.below(240) as i32;
        let qty = 1 + self.dice.below(3) as i32;
        let customer = 1 + self.dice.below(620) as i32;
        let parcel = format!("P{:09}", self.dice.below(1_000_000_000));
        let id = self.object_id(secs);
        let product = self.collections["products"].get(&product.into()).unwrap();
        let (sku, price) = (product.get_str("sku").unwrap(), product.get_f64("price").unwrap());
        let created = bson::DateTime::from_millis(i64::from(secs) * 1000);
        let updated = bson::DateTime::from_millis(i64::from(secs + 14_000) * 1000);
        let total = (price * f64::from(qty) * 100.0).round() / 100.0;
        doc! {
            "_id": id, "customer": customer, "status": "delivered",
            "items": [{ "sku": sku, "qty": qty, "price": price }],
            "total": total, "created": created, "updated": updated, "parcel": parcel,
        }
    }
}
