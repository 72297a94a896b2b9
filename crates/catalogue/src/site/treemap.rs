//! Proportional areas: a rectangle is divided among weights into pieces that are as square as possible. Source: Bruls,
//! Huizing, van Wijk, "Squarified Treemaps" (2000).

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rectangle {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

/// One piece for each weight, in the same order. `weights` are positive and do not increase.
pub(super) fn divide(weights: &[f64], whole: Rectangle) -> Vec<Rectangle> {
    let mut pieces = Vec::with_capacity(weights.len());
    let mut left = whole;
    let mut rest = weights;
    while !rest.is_empty() {
        let scale = left.width * left.height / rest.iter().sum::<f64>();
        let side = left.width.min(left.height);
        let mut number = 1;
        while number < rest.len() && worst(&rest[..=number], side, scale) <= worst(&rest[..number], side, scale) {
            number += 1;
        }
        left = lay(&rest[..number], scale, left, &mut pieces);
        rest = &rest[number..];
    }
    pieces
}

/// The aspect ratio (longest side over shortest) of the worst piece when `row` is laid along `side`.
fn worst(row: &[f64], side: f64, scale: f64) -> f64 {
    let depth = row.iter().sum::<f64>() * scale / side;
    row.iter()
        .map(|weight| weight * scale / depth)
        .map(|length| (length / depth).max(depth / length))
        .fold(0.0, f64::max)
}

/// Places `row` along the shorter side of `left` and returns what remains.
fn lay(row: &[f64], scale: f64, left: Rectangle, pieces: &mut Vec<Rectangle>) -> Rectangle {
    let upright = left.width >= left.height;
    let side = left.width.min(left.height);
    let depth = row.iter().sum::<f64>() * scale / side;
    let mut at = if upright { left.y } else { left.x };
    for weight in row {
        let length = weight * scale / depth;
        pieces.push(if upright {
            Rectangle { x: left.x, y: at, width: depth, height: length }
        } else {
            Rectangle { x: at, y: left.y, width: length, height: depth }
        });
        at += length;
    }
    if upright {
        Rectangle { x: left.x + depth, width: (left.width - depth).max(0.0), ..left }
    } else {
        Rectangle { y: left.y + depth, height: (left.height - depth).max(0.0), ..left }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WHOLE: Rectangle = Rectangle { x: 0.0, y: 0.0, width: 960.0, height: 420.0 };

    #[test]
    fn one_weight_takes_everything_and_none_takes_nothing() {
        assert_eq!(divide(&[7.0], WHOLE), [WHOLE]);
        assert_eq!(divide(&[], WHOLE), []);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn every_piece_has_its_share_inside_the_whole(weights in prop::collection::vec(1u32..1_000_000, 1..60)) {
            let mut weights: Vec<f64> = weights.into_iter().map(f64::from).collect();
            weights.sort_by(|a, b| b.total_cmp(a));
            let pieces = divide(&weights, WHOLE);
            prop_assert_eq!(pieces.len(), weights.len());
            let scale = WHOLE.width * WHOLE.height / weights.iter().sum::<f64>();
            for (piece, weight) in pieces.iter().zip(&weights) {
                prop_assert!((piece.width * piece.height - weight * scale).abs() < 0.01, "{:?}", piece);
                prop_assert!(piece.x >= -0.01 && piece.x + piece.width <= WHOLE.width + 0.01, "{:?}", piece);
                prop_assert!(piece.y >= -0.01 && piece.y + piece.height <= WHOLE.height + 0.01, "{:?}", piece);
            }
        }
    }
}
