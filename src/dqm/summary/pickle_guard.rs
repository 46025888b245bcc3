//! How deep and how large a pickle is, found without building it.
//!
//! A pickle is a program for a stack machine. One of a few megabytes can nest millions of lists, or share lists so that
//! they unfold to more than any memory holds; what reads it recursively then ends the process. So the program is run
//! here with numbers of containers instead of values: one pass over the opcodes, then the longest and the fullest path
//! through the containers. The opcodes are those of protocols 0 to 5 (Python's `pickletools`).

use std::collections::HashMap;

/// Containers in containers. A summary has seven.
const DEEPEST: u32 = 100;
/// Values after shared containers are unfolded. A run of a thousand images has some ten million.
const MOST: u64 = 2_000_000_000;

/// Number of a container; [`PLAIN`]: a value that holds none.
type Node = u32;
const PLAIN: Node = 0;

/// Checks a pickle.
///
/// # Errors
/// A sentence: it is cut off, has an unknown opcode or takes from an empty stack, or it is nested too deep or unfolds to
/// too much.
pub(super) fn check(bytes: &[u8]) -> Result<(), String> {
    let children = Machine::run(bytes)?;
    let (depth, size) = extent(&children);
    if depth > DEEPEST {
        return Err(format!("it is nested more than {DEEPEST} deep"));
    }
    if size > MOST {
        return Err(format!("it unfolds to more than {MOST} values"));
    }
    Ok(())
}

/// The stack machine.
struct Machine<'a> {
    rest: &'a [u8],
    stack: Vec<Node>,
    /// Heights of the stack at the marks.
    marks: Vec<usize>,
    memo: HashMap<u64, Node>,
    /// Number of plain values in each container, and the containers in it.
    children: Vec<(u64, Vec<Node>)>,
}

const CUT_OFF: &str = "it is cut off";

impl<'a> Machine<'a> {
    fn run(bytes: &'a [u8]) -> Result<Vec<(u64, Vec<Node>)>, String> {
        let mut machine = Self {
            rest: bytes,
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
            children: vec![(0, Vec::new())],
        };
        while machine.step()? {}
        Ok(machine.children)
    }

    fn take(&mut self, count: u64) -> Result<&'a [u8], String> {
        let count = usize::try_from(count).ok().filter(|n| *n <= self.rest.len()).ok_or(CUT_OFF)?;
        let (taken, rest) = self.rest.split_at(count);
        self.rest = rest;
        Ok(taken)
    }

    /// Little-endian number of `width` bytes.
    fn number(&mut self, width: u64) -> Result<u64, String> {
        Ok(self.take(width)?.iter().rev().fold(0, |n, byte| (n << 8) | u64::from(*byte)))
    }

    fn line(&mut self) -> Result<&'a [u8], String> {
        let end = self.rest.iter().position(|b| *b == b'\n').ok_or(CUT_OFF)?;
        let line = self.take(end as u64)?;
        self.take(1)?;
        Ok(line)
    }

    /// The decimal number of a line: a place of the memo.
    fn place(&mut self) -> Result<u64, String> {
        let line = self.line()?;
        std::str::from_utf8(line)
            .ok()
            .and_then(|t| t.trim().parse().ok())
            .ok_or_else(|| "a place of its memo is no number".into())
    }

    fn pop(&mut self) -> Result<Node, String> {
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= floor {
            return Err("it takes from an empty stack".into());
        }
        self.stack.pop().ok_or_else(|| CUT_OFF.into())
    }

    fn top(&self) -> Result<Node, String> {
        self.stack.last().copied().ok_or_else(|| "it takes from an empty stack".into())
    }

    fn above_mark(&mut self) -> Result<Vec<Node>, String> {
        let mark = self.marks.pop().ok_or("it takes up to a mark that is not there")?;
        Ok(self.stack.split_off(mark.min(self.stack.len())))
    }

    fn put_into(&mut self, container: Node, values: &[Node]) {
        let Some((plain, nodes)) = self.children.get_mut(container as usize).filter(|_| container != PLAIN) else {
            return;
        };
        for value in values {
            if *value == PLAIN { *plain += 1 } else { nodes.push(*value) }
        }
    }

    fn push_container(&mut self, values: &[Node]) -> Result<(), String> {
        let node = Node::try_from(self.children.len()).map_err(|_| "it holds too many containers")?;
        self.children.push((0, Vec::new()));
        self.put_into(node, values);
        self.stack.push(node);
        Ok(())
    }

    /// A container of the topmost `count` values.
    fn collect(&mut self, count: usize) -> Result<(), String> {
        let values = (0..count).map(|_| self.pop()).collect::<Result<Vec<_>, _>>()?;
        self.push_container(&values)
    }

    fn plain_after(&mut self, bytes: u64) -> Result<(), String> {
        self.take(bytes)?;
        self.stack.push(PLAIN);
        Ok(())
    }

    /// One opcode; whether there are more.
    fn step(&mut self) -> Result<bool, String> {
        let opcode = self.take(1)?[0];
        match opcode {
            b'.' => return Ok(false),
            b'(' => self.marks.push(self.stack.len()),
            b'0' => {
                // a mark counts as a value here
                if self.marks.last() == Some(&self.stack.len()) {
                    self.marks.pop();
                } else {
                    self.pop()?;
                }
            }
            b'1' => drop(self.above_mark()?),
            b'2' => self.stack.push(self.top()?),
            // values without containers: with a line, of a fixed length, of a stated length
            b'F' | b'I' | b'L' | b'P' | b'S' | b'V' => {
                self.line()?;
                self.stack.push(PLAIN);
            }
            b'c' => {
                self.line()?;
                self.line()?;
                self.stack.push(PLAIN);
            }
            b'N' | 0x88 | 0x89 | 0x97 => self.stack.push(PLAIN),
            b'K' | 0x82 => self.plain_after(1)?,
            b'M' | 0x83 => self.plain_after(2)?,
            b'J' | 0x84 => self.plain_after(4)?,
            b'G' => self.plain_after(8)?,
            b'U' | b'C' | 0x8a | 0x8c => {
                let length = self.number(1)?;
                self.plain_after(length)?;
            }
            b'T' | b'X' | b'B' | 0x8b => {
                let length = self.number(4)?;
                self.plain_after(length)?;
            }
            0x8d | 0x8e | 0x96 => {
                let length = self.number(8)?;
                self.plain_after(length)?;
            }
            // containers
            b']' | b'}' | b')' | 0x8f => self.push_container(&[])?,
            b'l' | b'd' | b't' | 0x91 => {
                let values = self.above_mark()?;
                self.push_container(&values)?;
            }
            0x85 => self.collect(1)?,
            0x86 => self.collect(2)?,
            0x87 => self.collect(3)?,
            b'a' => {
                let value = self.pop()?;
                self.put_into(self.top()?, &[value]);
            }
            b's' => {
                let pair = [self.pop()?, self.pop()?];
                self.put_into(self.top()?, &pair);
            }
            b'e' | b'u' | 0x90 => {
                let values = self.above_mark()?;
                self.put_into(self.top()?, &values);
            }
            // objects: what they are made of counts as their content
            b'R' | 0x81 | 0x93 => self.collect(2)?,
            0x92 => self.collect(3)?,
            b'b' => {
                let state = self.pop()?;
                self.put_into(self.top()?, &[state]);
            }
            b'o' => {
                let values = self.above_mark()?;
                self.push_container(&values)?;
            }
            b'i' => {
                self.line()?;
                self.line()?;
                let values = self.above_mark()?;
                self.push_container(&values)?;
            }
            b'Q' => self.collect(1)?,
            // memo
            b'p' | b'q' | b'r' | 0x94 => {
                let place = match opcode {
                    b'p' => self.place()?,
                    b'q' => self.number(1)?,
                    b'r' => self.number(4)?,
                    _ => self.memo.len() as u64,
                };
                self.memo.insert(place, self.top()?);
            }
            b'g' | b'h' | b'j' => {
                let place = match opcode {
                    b'g' => self.place()?,
                    b'h' => self.number(1)?,
                    _ => self.number(4)?,
                };
                let node = self.memo.get(&place).copied().ok_or("it uses a place of its memo that was never set")?;
                self.stack.push(node);
            }
            // frames and buffers
            0x80 => drop(self.take(1)?),
            0x95 => drop(self.take(8)?),
            0x98 => {}
            _ => return Err(format!("it has the unknown opcode {opcode:#04x}")),
        }
        Ok(true)
    }
}

/// Depth of the deepest container and number of values of the fullest one, shared containers unfolded. A container inside
/// of itself ends there.
fn extent(children: &[(u64, Vec<Node>)]) -> (u32, u64) {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        New,
        Open,
        Known(u32, u64),
    }
    let mut states = vec![State::New; children.len()];
    let mut largest = (0, 0);
    for start in 1..children.len() {
        if states[start] != State::New {
            continue;
        }
        states[start] = State::Open;
        let mut path = vec![(start, 0usize)];
        while let Some((node, next)) = path.last_mut() {
            let (plain, inside) = &children[*node];
            if let Some(child) = inside.get(*next) {
                *next += 1;
                if states[*child as usize] == State::New {
                    states[*child as usize] = State::Open;
                    path.push((*child as usize, 0));
                }
                continue;
            }
            let mut own = (1u32, plain.saturating_add(1));
            for child in inside {
                if let State::Known(depth, size) = states[*child as usize] {
                    own = (own.0.max(depth.saturating_add(1)), own.1.saturating_add(size));
                }
            }
            states[*node] = State::Known(own.0, own.1);
            largest = (largest.0.max(own.0), largest.1.max(own.1));
            path.pop();
        }
    }
    largest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(depth: usize) -> Vec<u8> {
        let mut bytes = vec![0x80, 2];
        bytes.extend(vec![b']'; depth]);
        bytes.extend(vec![b'a'; depth - 1]);
        bytes.push(b'.');
        bytes
    }

    #[test]
    fn depth_is_counted_without_recursion() {
        assert!(check(&nested(DEEPEST as usize)).is_ok());
        assert!(check(&nested(1_000_000)).unwrap_err().contains("nested"));
        // tuples of one, the shortest way to nest
        let mut tuples = vec![0x80, 2, b')'];
        tuples.extend(vec![0x85; 1_000_000]);
        tuples.push(b'.');
        assert!(check(&tuples).unwrap_err().contains("nested"));
    }

    #[test]
    fn shared_lists_are_unfolded() {
        // every list holds the one before twice: 2⁴⁰ values
        let mut bytes = b"\x80\x02]q\x00K\x01a".to_vec();
        for k in 1..=40u8 {
            bytes.extend([b']', b'q', k, b'(', b'h', k - 1, b'h', k - 1, b'e']);
        }
        bytes.push(b'.');
        assert!(check(&bytes).unwrap_err().contains("unfolds"));
    }

    #[test]
    fn a_list_that_is_filled_after_it_was_put_into_another_counts() {
        // list 0 is put into list 1, then the next list into list 0, and so on: containers grow after they were used
        let mut bytes = b"\x80\x02]r\x00\x00\x00\x00".to_vec();
        for k in 0..1000u32 {
            bytes.push(b'j');
            bytes.extend(k.to_le_bytes());
            bytes.extend(b"]r");
            bytes.extend((k + 1).to_le_bytes());
            bytes.extend(b"a0");
        }
        bytes.push(b'.');
        assert!(check(&bytes).unwrap_err().contains("nested"));
        // inside of itself
        assert!(check(b"\x80\x02]q\x00h\x00a.").is_ok());
    }

    #[test]
    fn programs_that_are_none_are_refused() {
        for (bytes, words) in [
            (&b"\x80\x02]"[..], "cut off"),
            (b"\x80\x02a.", "empty stack"),
            (b"\x80\x02X\xff\xff\xff\x7fabc.", "cut off"),
            (b"\x80\x02\xff.", "0xff"),
            (b"e.", "mark"),
            (b"h\x05.", "memo"),
            (b"", "cut off"),
        ] {
            let error = check(bytes).unwrap_err();
            assert!(error.contains(words), "{bytes:?}: {error}");
        }
    }
}
