//! A text as a picture that an authenticator's camera reads.

use png::{BitDepth, ColorType, Encoder, EncodingError};
use qrcodegen::{DataTooLong, QrCode, QrCodeEcc};

/// Pixels along a side of one of the code's squares.
const PIXELS_PER_MODULE: u32 = 6;
/// Light squares around the code (ISO/IEC 18004 asks for four).
const QUIET_MODULES: u32 = 4;

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub(super) enum QrError {
    /// The text is longer than a QR code holds.
    #[error("the text is too long for a QR code")]
    TooLong(#[from] DataTooLong),
    /// The picture could not be written.
    #[error(transparent)]
    Png(#[from] EncodingError),
}

/// The text as a QR code, in PNG, black on white.
pub(super) fn qr_png(text: &str) -> Result<Vec<u8>, QrError> {
    let code = QrCode::encode_text(text, QrCodeEcc::Medium)?;
    let modules = code.size().unsigned_abs() + 2 * QUIET_MODULES;
    let side = modules * PIXELS_PER_MODULE;
    let mut picture = Vec::new();
    let mut encoder = Encoder::new(&mut picture, side, side);
    encoder.set_color(ColorType::Grayscale);
    encoder.set_depth(BitDepth::One);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&pixels(&code, side))?;
    writer.finish()?;
    Ok(picture)
}

/// One bit a pixel, white set; each row begins with a byte of its own.
fn pixels(code: &QrCode, side: u32) -> Vec<u8> {
    let module =
        |pixel: u32| i32::try_from(pixel / PIXELS_PER_MODULE).unwrap_or(0) - QUIET_MODULES.cast_signed();
    let mut rows = Vec::new();
    for y in 0..side {
        for first in (0..side).step_by(8) {
            let mut byte = 0_u8;
            for x in first..first + 8 {
                // Beyond the code, and beyond the row's end, all is white.
                let dark = code.get_module(module(x), module(y));
                byte = byte << 1 | u8::from(!dark);
            }
            rows.push(byte);
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::qr_png;

    #[test]
    fn the_picture_is_a_square_with_the_three_corners_of_a_qr_code() {
        let text = "otpauth://totp/opentrail:alice%40123456789012?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=opentrail";
        let picture = qr_png(text).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(&picture)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        assert_eq!(info.width, info.height);
        let dark = |module_x: u32, module_y: u32| {
            let (x, y) = (module_x * 6 + 3, module_y * 6 + 3);
            let at = (y * info.line_size as u32 + x / 8) as usize;
            pixels[at] >> (7 - x % 8) & 1 == 0
        };
        let last = info.width / 6 - 5;
        for (x, y) in [(4, 4), (last, 4), (4, last)] {
            assert!(dark(x, y), "a finder's corner at {x}, {y}");
        }
        assert!(!dark(last, last) || !dark(0, 0), "the fourth corner has none, the border is white");
        assert!(!dark(0, 0) && !dark(3, 3));
    }

    #[test]
    fn a_text_that_no_code_holds_is_refused() {
        assert!(qr_png(&"x".repeat(5_000)).is_err());
    }
}
