//! Latencies in nanoseconds, in buckets about 3 % wide. Constant size, constant cost.

const SUB_BITS: u32 = 5;
const SUB: u64 = 1 << SUB_BITS;

pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: vec![0; (SUB as usize) * 60], count: 0, max: 0 }
    }
}

impl Histogram {
    pub fn record(&mut self, value: u64) {
        self.buckets[index(value)] += 1;
        self.count += 1;
        self.max = self.max.max(value);
    }

    pub fn max(&self) -> u64 {
        self.max
    }

    /// The value that the share `q` of all values does not exceed.
    pub fn quantile(&self, q: f64) -> u64 {
        let rank = (self.count as f64 * q).ceil() as u64;
        let mut seen = 0;
        for (i, n) in self.buckets.iter().enumerate() {
            seen += n;
            if seen >= rank && *n > 0 {
                return upper(i).min(self.max);
            }
        }
        self.max
    }
}

fn index(value: u64) -> usize {
    if value < SUB {
        return value as usize;
    }
    let shift = 63 - value.leading_zeros() - SUB_BITS;
    ((u64::from(shift) * SUB) + (value >> shift)) as usize
}

fn upper(index: usize) -> u64 {
    let index = index as u64;
    if index < 2 * SUB {
        return index;
    }
    let shift = index / SUB - 1;
    ((index - shift * SUB + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_within_a_bucket_of_the_truth() {
        let mut histogram = Histogram::default();
        for value in 1..=100_000 {
            histogram.record(value);
        }
        for q in [0.5, 0.99] {
            let (got, want) = (histogram.quantile(q) as f64, 100_000.0 * q);
            assert!((got / want - 1.0).abs() < 0.04, "{q}: {got}");
        }
        assert_eq!(histogram.quantile(1.0), 100_000);
    }
}
