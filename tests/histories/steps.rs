//! One step of a history: a command, or a few, on whatever there is. Many are refused by the
//! server, as their author expects; what counts is what the oplog says afterwards.

use bson::{Bson, Document, doc};
use mongodb::Client;

use crate::common::server::block_on;
use crate::common::truth::{Checkpoint, Collection};
use crate::random::Random;
use crate::updates::{document, filter, id, update};

pub const DBS: [&str; 3] = ["h1", "h2", "h-3"];

/// Names of collections; some are hard on files.
fn names() -> Vec<String> {
    let mut all: Vec<String> =
        ["a", "b", "c d", "e.f.g", "ünï→", "x%41y", "pl+us", "sl/ash", "t", "u"].map(String::from).into();
    all.push("long%+ü".repeat(24));
    all
}

/// Plays steps against the newest truth.
pub struct Player<'c> {
    pub client: &'c Client,
    pub random: Random,
    pub world: Checkpoint,
    /// Commands that were carried out.
    pub done: u32,
}

/// A collection somebody chose.
#[derive(Clone)]
struct Chosen {
    db: String,
    name: String,
}

impl Player<'_> {
    /// Runs a command; whether the server carried it out.
    fn run(&mut self, db: &str, command: Document) -> bool {
        let ran = block_on(self.client.database(db).run_command(command).into_future());
        self.done += u32::from(ran.is_ok());
        ran.is_ok()
    }

    fn db(&mut self) -> String {
        self.random.pick(&DBS).to_owned()
    }

    fn name(&mut self) -> String {
        self.random.pick(&names())
    }

    fn choose(&mut self, fits: impl Fn(&Collection) -> bool) -> Option<Chosen> {
        let all: Vec<Chosen> = self
            .world
            .dbs
            .iter()
            .flat_map(|(db, all)| all.iter().map(move |(name, is)| (db, name, is)))
            .filter(|(db, _, is)| *db != "noise" && fits(is))
            .map(|(db, name, _)| Chosen { db: db.clone(), name: name.clone() })
            .collect();
        (!all.is_empty()).then(|| self.random.pick(&all))
    }

    /// A plain collection: one there is, or seldom one that a write would make.
    fn plain(&mut self) -> (String, String) {
        if !self.random.one_in(12)
            && let Some(chosen) = self.choose(|c| c.kind == "collection")
        {
            return (chosen.db, chosen.name);
        }
        (self.db(), self.name())
    }

    pub fn step(&mut self) {
        match self.random.below(40) {
            0..=5 => self.insert(),
            6..=12 => self.update(),
            13 | 14 => self.delete(),
            15 | 16 => self.find_and_modify(),
            17 | 18 => self.create(),
            19..=21 => self.index(),
            22 | 23 => self.modify(),
            24 => self.drop(),
            25 | 26 => self.rename(),
            27 | 28 => self.aggregate(),
            29..=31 => self.series(),
            32 => self.view(),
            33 => self.odd(),
            34 => self.files(),
            _ => self.transaction(),
        }
    }

    fn insert(&mut self) {
        let (db, name) = self.plain();
        let count = if self.random.one_in(6) { 40 } else { 1 + self.random.below(8) };
        let all: Vec<Document> = (0..count)
            .map(|_| {
                let id = id(&mut self.random);
                document(&mut self.random, id)
            })
            .collect();
        self.run(&db, doc! { "insert": name, "documents": all, "ordered": false });
    }

    fn one_update(&mut self) -> Document {
        let (u, filters) = update(&mut self.random);
        let operators = u.as_document().is_none_or(|d| d.keys().next().is_some_and(|k| k.starts_with('$')));
        let mut one = doc! { "q": filter(&mut self.random), "u": u, "upsert": self.random.one_in(6) };
        one.insert("multi", operators && self.random.one_in(4));
        if let Some(filters) = filters {
            one.insert("arrayFilters", [filters]);
            one.insert("upsert", false);
        }
        one
    }

    fn update(&mut self) {
        let (db, name) = self.plain();
        let count = 1 + self.random.below(6);
        let all: Vec<Document> = (0..count).map(|_| self.one_update()).collect();
        self.run(&db, doc! { "update": name, "updates": all, "ordered": false });
    }

    fn delete(&mut self) {
        let (db, name) = self.plain();
        let limit = i32::from(!self.random.one_in(3));
        let deletes = [doc! { "q": filter(&mut self.random), "limit": limit }];
        self.run(&db, doc! { "delete": name, "deletes": deletes });
    }

    fn find_and_modify(&mut self) {
        let (db, name) = self.plain();
        let coll = self.client.database(&db).collection(&name);
        let query = filter(&mut self.random);
        let (update, filters) = match self.random.one_in(3) {
            true => (None, None),
            false => {
                let (update, filters) = update(&mut self.random);
                (Some(update), filters)
            }
        };
        let upsert = filters.is_none() && self.random.one_in(3);
        let after = self.random.one_in(2);
        self.done += u32::from(find_and_modify(&coll, query, update, filters, upsert, after).is_ok());
    }

    fn create(&mut self) {
        let (db, name) = (self.db(), self.name());
        let mut command = doc! { "create": name };
        match self.random.below(8) {
            0 => {
                command.extend(doc! { "capped": true, "size": 4096, "max": self.random.pick(&[5, 20, 1000]) })
            }
            1 => command.extend(doc! { "capped": true, "size": 1000 + self.random.below(90_000) as i32 }),
            2 => command.extend(doc! { "collation": { "locale": "de", "strength": 2 } }),
            3 => {
                let validator = doc! { "$or": [{ "n": { "$exists": true } }, { "_id": { "$type": "int" } }] };
                command.extend(doc! { "validator": validator, "validationLevel": "moderate" });
            }
            4 => command.extend(doc! { "clusteredIndex": { "key": { "_id": 1 }, "unique": true } }),
            5 => command.extend(doc! { "changeStreamPreAndPostImages": { "enabled": true } }),
            6 => command.extend(doc! { "validator": {}, "validationAction": "warn" }),
            _ => {}
        }
        self.run(&db, command);
    }

    fn index(&mut self) {
        let (db, name) = self.plain();
        if self.random.one_in(4) {
            let names = ["*", "n_1", "text", "u", "ttl", "part", "missing"].map(|n| Bson::String(n.into()));
            let which = match self.random.below(4) {
                0 => doc! { "n": 1 }.into(),
                1 => Bson::Array(vec!["n_1".into(), "u".into()]),
                _ => self.random.pick(&names),
            };
            self.run(&db, doc! { "dropIndexes": name, "index": which });
            return;
        }
        let many = self.random.one_in(3);
        let specs: Vec<Document> = (0..if many { 3 } else { 1 })
            .map(|_| match self.random.below(14) {
                0 => doc! { "key": { "n": 1 }, "name": "n_1" },
                1 => doc! { "key": { "n": 1, "d.x": -1 }, "name": "n_1_d" },
                2 => doc! { "key": { "n": 1 }, "name": "u", "unique": true, "collation": { "locale": "en", "strength": 1 } },
                3 => doc! { "key": { "s": 1 }, "name": "ttl", "expireAfterSeconds": 3600 },
                4 => {
                    let filter = doc! { "n": { "$gt": 5 } };
                    doc! { "key": { "fresh": 1 }, "name": "part", "partialFilterExpression": filter }
                }
                5 => doc! { "key": { "long": "text", "t": "text" }, "name": "text", "weights": { "t": 5 }, "default_language": "german" },
                6 => doc! { "key": { "geo": "2dsphere" }, "name": "geo" },
                7 => doc! { "key": { "$**": 1 }, "name": "wild", "wildcardProjection": { "d": 1, "zero": 1 } },
                8 => doc! { "key": { "n": "hashed" }, "name": "hash" },
                9 => doc! { "key": { "xy": "2d" }, "name": "flat", "min": -10, "max": 10.5, "bits": 20 },
                10 => doc! { "key": { "hidden": 1 }, "name": "hidden", "hidden": true, "sparse": true },
                11 => doc! { "key": { "m": 1 }, "name": "prep", "prepareUnique": true },
                12 => doc! { "key": { "l": 1 }, "name": "l_1", "unique": true },
                _ => doc! { "key": { "_id": "hashed" }, "name": "idhash" },
            })
            .collect();
        self.run(&db, doc! { "createIndexes": name, "indexes": specs });
    }

    fn modify(&mut self) {
        let (db, name) = self.plain();
        let mut command = doc! { "collMod": name };
        command.extend(match self.random.below(14) {
            0 => doc! { "validator": { "n": { "$type": "number" } } },
            1 => doc! { "validator": {}, "validationLevel": "off" },
            2 => doc! { "validationAction": "warn" },
            3 => doc! { "validationLevel": "strict" },
            4 => doc! { "index": { "name": "ttl", "expireAfterSeconds": 60 + self.random.below(9) as i32 } },
            5 => doc! { "index": { "name": "n_1", "hidden": true } },
            6 => doc! { "index": { "keyPattern": { "n": 1 }, "hidden": false } },
            7 => doc! { "index": { "name": "prep", "unique": true } },
            8 => doc! { "index": { "name": "n_1", "prepareUnique": self.random.one_in(2) } },
            9 => doc! { "index": { "name": "n_1_d", "expireAfterSeconds": 10 } },
            10 => doc! { "changeStreamPreAndPostImages": { "enabled": self.random.one_in(2) } },
            11 => doc! { "cappedSize": 2000 + self.random.below(9000) as i32 },
            12 => doc! { "cappedMax": 7 + self.random.below(50) as i32 },
            _ => doc! { "index": { "name": "n_1", "expireAfterSeconds": 999 } },
        });
        self.run(&db, command);
    }

    fn drop(&mut self) {
        if self.random.one_in(5) {
            let db = self.db();
            self.run(&db, doc! { "dropDatabase": 1 });
            return;
        }
        let Some(chosen) = self.choose(|_| true) else { return };
        self.run(&chosen.db, doc! { "drop": &chosen.name });
        if self.random.one_in(2) {
            let mut create = doc! { "create": &chosen.name };
            if self.random.one_in(3) {
                create.extend(doc! { "capped": true, "size": 5000 });
            }
            self.run(&chosen.db, create);
            let one = document(&mut self.random, 7.into());
            self.run(&chosen.db, doc! { "insert": &chosen.name, "documents": [one] });
        }
    }

    fn rename(&mut self) {
        let (db, name) = self.plain();
        let (other, to) = self.plain();
        let db_to = if self.random.one_in(2) { other } else { db.clone() };
        let to = if self.random.one_in(2) { to } else { self.name() };
        let command = doc! {
            "renameCollection": format!("{db}.{name}"), "to": format!("{db_to}.{to}"),
            "dropTarget": !self.random.one_in(4),
        };
        self.run("admin", command);
    }

    fn aggregate(&mut self) {
        let (db, name) = self.plain();
        let (db_to, to) = self.plain();
        let last = match self.random.below(4) {
            0 | 1 => doc! { "$out": { "db": db_to, "coll": to } },
            2 => {
                doc! { "$merge": { "into": { "db": db_to, "coll": to }, "whenMatched": "replace", "whenNotMatched": "insert" } }
            }
            _ => {
                let stage = doc! { "$set": { "merged": "$$new.n", "l": [] } };
                doc! { "$merge": { "into": { "db": db_to, "coll": to }, "whenMatched": [stage] } }
            }
        };
        let pipeline = [doc! { "$match": filter(&mut self.random) }, doc! { "$set": { "out": true } }, last];
        self.run(&db, doc! { "aggregate": name, "pipeline": pipeline, "cursor": {} });
    }

    fn series(&mut self) {
        let existing = self.choose(|c| c.kind == "timeseries");
        let Some(chosen) = existing.filter(|_| !self.random.one_in(5)) else {
            let (db, name) = (self.db(), self.random.pick(&["ts", "temps.ü", "s%"]));
            let mut options = doc! { "timeField": "t" };
            if !self.random.one_in(4) {
                options.insert("metaField", "sensor");
            }
            if self.random.one_in(2) {
                options.insert("granularity", self.random.pick(&["seconds", "minutes"]));
            }
            let mut command = doc! { "create": name, "timeseries": options };
            if self.random.one_in(3) {
                command.insert("expireAfterSeconds", 86_400_000i64);
            }
            self.run(&db, command);
            return;
        };
        let Chosen { db, name, .. } = chosen;
        match self.random.below(10) {
            0 => self.run(&db, doc! { "delete": name, "deletes": [{ "q": { "sensor": 1 }, "limit": 0 }] }),
            1 => {
                let granularity = self.random.pick(&["minutes", "hours"]);
                self.run(&db, doc! { "collMod": name, "timeseries": { "granularity": granularity } })
            }
            2 => {
                let index = match self.random.below(5) {
                    0 => doc! { "key": { "t": -1 }, "name": "t_-1" },
                    1 => doc! { "key": { "sensor": 1, "t": 1 }, "name": "s_t" },
                    2 => doc! { "key": { "sensor.room": 1 }, "name": "room" },
                    3 => doc! { "key": { "v": 1 }, "name": "v_1" },
                    _ => doc! { "key": { "where": "2dsphere" }, "name": "where" },
                };
                self.run(&db, doc! { "createIndexes": name, "indexes": [index] })
            }
            3 => {
                let expiry = self.random.pick(&[Bson::Int64(9999999), Bson::from("off")]);
                self.run(&db, doc! { "collMod": name, "expireAfterSeconds": expiry })
            }
            4 if self.random.one_in(3) => self.run(&db, doc! { "drop": name }),
            4 => self.run(&db, doc! { "dropIndexes": name, "index": "s_t" }),
            5 => {
                let hidden = self.random.one_in(2);
                self.run(&db, doc! { "collMod": name, "index": { "name": "s_t", "hidden": hidden } })
            }
            6 => {
                let update = doc! { "q": { "sensor": 2 }, "u": { "$set": { "sensor": 3 } }, "multi": true };
                self.run(&db, doc! { "update": name, "updates": [update] })
            }
            _ => {
                let count = 1 + self.random.below(30);
                let all: Vec<Document> = (0..count)
                    .map(|n| {
                        let millis = 1_700_000_000_000 + self.random.below(40_000_000) as i64;
                        let mut one = doc! { "t": bson::DateTime::from_millis(millis), "sensor": self.random.below(4) as i32 };
                        one.insert("v", self.random.number());
                        if n % 3 == 0 {
                            one.insert("x", random_text(&mut self.random));
                        }
                        one
                    })
                    .collect();
                self.run(&db, doc! { "insert": name, "documents": all, "ordered": false })
            }
        };
    }

    fn view(&mut self) {
        let name = self.random.pick(&["view", "view 2"]);
        let (db, on) = self.plain();
        let pipeline = [doc! { "$match": { "n": { "$gt": self.random.below(9) as i32 } } }];
        match self.random.below(4) {
            0 => self.run(&db, doc! { "drop": name }),
            1 => self.run(&db, doc! { "collMod": name, "viewOn": on, "pipeline": pipeline }),
            2 => {
                let collation = doc! { "locale": "fr" };
                self.run(
                    &db,
                    doc! { "create": name, "viewOn": on, "pipeline": pipeline, "collation": collation },
                )
            }
            _ => self.run(&db, doc! { "create": name, "viewOn": on, "pipeline": pipeline }),
        };
    }

    fn odd(&mut self) {
        let (db, name) = self.plain();
        match self.random.below(6) {
            0 | 1 => self.run(&db, doc! { "convertToCapped": name, "size": 3000 }),
            2 => self.run(&db, doc! { "emptycapped": name }),
            3 => {
                let (ns, cmd) = (format!("{db}.{name}"), format!("{db}.$cmd"));
                // Of several at once; or one by one, as two are that are no longer all of documents.
                let id = id(&mut self.random);
                let mut one = document(&mut self.random, id);
                let count = 1 + self.random.below(3);
                let atomic = count < 3 && self.random.one_in(2);
                if atomic {
                    // For a zero timestamp the server stores its clock, and nobody knows which. And
                    // `_id` it puts in front, while its secondaries and its recovery leave it.
                    one.remove("zero");
                    let id = one.remove("_id").unwrap();
                    one = std::iter::once(("_id".to_owned(), id)).chain(one).collect();
                }
                let ops = [
                    doc! { "op": "i", "ns": &ns, "o": one },
                    doc! { "op": "d", "ns": &ns, "o": { "_id": 3 } },
                    doc! { "op": "c", "ns": cmd, "o": { "create": "made" } },
                ];
                let ops: Vec<Document> = ops.into_iter().take(count).collect();
                self.run("admin", doc! { "applyOps": ops, "allowAtomic": atomic })
            }
            4 => {
                let user = format!("u{}", self.random.below(5));
                self.run(&db, doc! { "createUser": user, "pwd": "x", "roles": ["read"] })
            }
            _ => self.run("admin", doc! { "appendOplogNote": 1, "data": { "renameCollection": 1 } }),
        };
    }

    /// What a driver writes for a stored file.
    fn files(&mut self) {
        let db = self.db();
        let id = bson::oid::ObjectId::new();
        let chunks: Vec<Document> = (0..3)
            .map(|n| {
                let bytes = vec![n as u8; 5000];
                let data = bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes };
                doc! { "files_id": id, "n": n, "data": data }
            })
            .collect();
        self.run(&db, doc! { "insert": "fs.chunks", "documents": chunks });
        let index = doc! { "key": { "files_id": 1, "n": 1 }, "name": "files_id_1_n_1", "unique": true };
        self.run(&db, doc! { "createIndexes": "fs.chunks", "indexes": [index] });
        let file = doc! { "_id": id, "length": 15000i64, "chunkSize": 5000, "filename": "f" };
        self.run(&db, doc! { "insert": "fs.files", "documents": [file] });
    }

    /// Committed, aborted, or prepared and then one of both; with more operations than fit into
    /// one entry, sometimes; sometimes with a new collection.
    fn transaction(&mut self) {
        let count = 1 + self.random.below(9);
        let commands: Vec<(String, Document)> = (0..count)
            .map(|_| {
                let (db, name) = self.plain();
                let command = match self.random.below(5) {
                    0 | 1 => {
                        let one = bson::oid::ObjectId::new();
                        let one = document(&mut self.random, one.into());
                        doc! { "insert": name, "documents": [one] }
                    }
                    2 | 3 => doc! { "update": name, "updates": [self.one_update()] },
                    _ => doc! { "delete": name, "deletes": [{ "q": { "n": { "$lt": 4 } }, "limit": 1 }] },
                };
                (db, command)
            })
            .collect();
        let create = self.random.one_in(5).then(|| (self.db(), self.name()));
        let prepare = self.random.one_in(3);
        let commit = !self.random.one_in(4);
        let client = self.client;
        let ran: mongodb::error::Result<()> = block_on(async {
            let mut session = client.start_session().await?;
            session.start_transaction().await?;
            if let Some((db, name)) = create {
                client.database(&db).run_command(doc! { "create": &name }).session(&mut session).await?;
                let index = doc! { "key": { "n": 1 }, "name": "n_1" };
                let command = doc! { "createIndexes": &name, "indexes": [index] };
                client.database(&db).run_command(command).session(&mut session).await?;
            }
            for (db, command) in commands {
                client.database(&db).run_command(command).session(&mut session).await?;
            }
            let admin = client.database("admin");
            if prepare {
                let prepared =
                    admin.run_command(doc! { "prepareTransaction": 1 }).session(&mut session).await?;
                let at = prepared.get_timestamp("prepareTimestamp").unwrap();
                // Something else happens before it is decided.
                let noise = doc! { "insert": "noise", "documents": [{ "_id": bson::oid::ObjectId::new() }] };
                client.database("noise").run_command(noise).await?;
                if commit {
                    let commit = doc! { "commitTransaction": 1, "commitTimestamp": at };
                    admin.run_command(commit).session(&mut session).await?;
                    return Ok(());
                }
            } else if commit {
                return session.commit_transaction().await;
            }
            session.abort_transaction().await
        });
        self.done += u32::from(ran.is_ok());
    }
}

/// Changes one document, or removes it, with what lets a client ask again: the server keeps an
/// image of it.
pub fn find_and_modify(
    coll: &mongodb::Collection<Document>,
    query: Document,
    update: Option<Bson>,
    filters: Option<Document>,
    upsert: bool,
    after: bool,
) -> mongodb::error::Result<Option<Document>> {
    use mongodb::options::{ReturnDocument, UpdateModifications};
    let image = if after { ReturnDocument::After } else { ReturnDocument::Before };
    let modifications = match update {
        None => return block_on(coll.find_one_and_delete(query).into_future()),
        Some(Bson::Array(stages)) => {
            let stages = stages.into_iter().map(|s| s.as_document().unwrap().clone());
            UpdateModifications::Pipeline(stages.collect())
        }
        Some(Bson::Document(whole)) if whole.keys().next().is_none_or(|k| !k.starts_with('$')) => {
            let act = coll.find_one_and_replace(query, whole).upsert(upsert).return_document(image);
            return block_on(act.into_future());
        }
        Some(Bson::Document(modifiers)) => UpdateModifications::Document(modifiers),
        Some(other) => panic!("{other} is no update"),
    };
    let mut act = coll.find_one_and_update(query, modifications).upsert(upsert).return_document(image);
    if let Some(filters) = filters {
        act = act.array_filters(vec![filters]);
    }
    block_on(act.into_future())
}

fn random_text(random: &mut Random) -> Bson {
    if random.one_in(3) { random.scalar() } else { Bson::String("y".repeat(random.below(30))) }
}
