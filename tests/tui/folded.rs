//! The fake's list of ops with bursts folded, worked out row by row.

use pitstop::app::list::*;
use pitstop::domain::Position;
use pitstop::domain::burst::Burst;
use pitstop::domain::op::Op;

/// A row, as the slow and obvious way has it.
#[derive(Clone, Copy)]
enum Is {
    Op(usize, Option<u32>),
    Heading(u32),
}

pub struct List<'a> {
    pub ops: Vec<&'a Op>,
    rows: Vec<Is>,
    bursts: &'a [Burst],
    /// The ops of each burst.
    members: Vec<Vec<usize>>,
    view: View,
}

impl<'a> List<'a> {
    pub fn new(ops: Vec<&'a Op>, bursts: &'a [Burst], view: &View) -> List<'a> {
        let mut of: Vec<Option<u32>> = vec![None; ops.len()];
        let mut members = Vec::new();
        for (number, burst) in bursts.iter().enumerate() {
            let ns = burst.ns.to_string();
            let holds = |op: &Op| {
                burst.first <= op.pos && op.pos <= burst.last && burst.kind == op.kind && ns == op.ns
            };
            let those: Vec<usize> =
                (0..ops.len()).filter(|at| of[*at].is_none() && holds(ops[*at])).collect();
            if those.len() > 1 && view.folded {
                those.iter().for_each(|at| of[*at] = Some(u32::try_from(number).unwrap()));
            }
            members.push(those);
        }
        let mut rows = Vec::new();
        for (at, burst) in of.into_iter().enumerate() {
            if let Some(number) = burst.filter(|n| members[*n as usize][0] == at) {
                rows.push(Is::Heading(number));
            }
            if burst.is_none_or(|number| view.open.contains(&number)) {
                rows.push(Is::Op(at, burst));
            }
        }
        List { ops, rows, bursts, members, view: view.clone() }
    }

    pub fn len(&self) -> u64 {
        self.rows.len() as u64
    }

    pub fn lines(&self, start: u64, count: u64) -> Vec<Line> {
        let rows =
            self.rows.iter().skip(usize::try_from(start).unwrap()).take(usize::try_from(count).unwrap());
        rows.map(|row| match row {
            Is::Op(at, of) => Line::Op { at: *at as u64, op: self.ops[*at].clone(), of: *of },
            Is::Heading(number) => {
                let members = &self.members[*number as usize];
                Line::Burst(Box::new(Folded {
                    number: *number,
                    burst: self.bursts[*number as usize].clone(),
                    ops: members.len() as u64,
                    millis: Some(1985),
                    open: self.view.open.contains(number),
                    at: members[0] as u64,
                    op: self.ops[members[0]].clone(),
                }))
            }
        })
        .collect()
    }

    /// The op of a row; of a heading the first of its burst.
    pub fn op_of(&self, row: u64) -> usize {
        match self.rows[usize::try_from(row).unwrap()] {
            Is::Op(at, _) => at,
            Is::Heading(number) => self.members[number as usize][0],
        }
    }

    pub fn spot(&self, op: usize) -> Spot {
        let shown = self.rows.iter().position(|row| matches!(row, Is::Op(at, _) if *at == op));
        if let Some(row) = shown {
            return Spot { row: row as u64, op: op as u64, inside: None };
        }
        for (row, is) in self.rows.iter().enumerate() {
            if let Is::Heading(number) = is
                && self.members[*number as usize].contains(&op)
            {
                let inside = Some(*number).filter(|n| self.members[*n as usize][0] != op);
                return Spot { row: row as u64, op: op as u64, inside };
            }
        }
        panic!("op {op} is nowhere")
    }

    pub fn locate(&self, pos: Position) -> Option<Spot> {
        self.ops.iter().position(|op| op.pos >= pos).map(|at| self.spot(at))
    }

    pub fn anchor(&self, at: Anchor) -> u64 {
        match at {
            Anchor::Op(at) => self.spot(usize::try_from(at).unwrap()).row,
            Anchor::Pos(pos) => self.locate(pos).map_or(self.len().saturating_sub(1), |spot| spot.row),
            Anchor::Burst(number) => {
                self.rows.iter().position(|row| matches!(row, Is::Heading(n) if *n == number)).unwrap_or(0)
                    as u64
            }
        }
    }
}
