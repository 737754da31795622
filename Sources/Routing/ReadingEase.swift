import Foundation

/// Flesch reading ease, 0 (hard) to 100 (easy), with a reading for scripts that it was not made
/// for.
///
/// Flesch (1948): `206.835 - 1.015 words/sentence - 84.6 syllables/word`, calibrated on English.
/// Syllables are counted as groups of vowels. Where most letters are not Latin a syllable is
/// taken as three letters (alphabets) or one (Han, Kana, Hangul, and Thai, whose words are not
/// separated and are taken as two letters long): a rough but finite and comparable number.
package enum ReadingEase {
  /// The score, or nil where the text has no letters.
  package static func score(_ text: String) -> Double? {
    var latin = 0
    var syllabic = 0
    var letters = 0
    var words = 0
    var sentences = 0
    var syllables = 0
    var inWord = false
    var lastWasVowel = false
    var wordSyllables = 0
    var lastLetter: Unicode.Scalar = " "
    var wordSinceEnd = false

    func endWord() {
      guard inWord else { return }
      inWord = false
      // A silent final e, as in "make", is no syllable of its own.
      if lastLetter == "e" || lastLetter == "E", wordSyllables > 1 { wordSyllables -= 1 }
      syllables += max(1, wordSyllables)
      wordSyllables = 0
      lastWasVowel = false
    }

    for scalar in text.unicodeScalars {
      if scalar.properties.isAlphabetic || scalar == "'" && inWord {
        if scalar == "'" { continue }
        letters += 1
        if isSyllabic(scalar) {
          syllabic += 1
        } else if scalar.value < 0x250 || (0x1E00..<0x1F00).contains(scalar.value) {
          latin += 1
        }
        if !inWord {
          inWord = true
          words += 1
          wordSinceEnd = true
        }
        let vowel = isVowel(scalar)
        if vowel && !lastWasVowel { wordSyllables += 1 }
        lastWasVowel = vowel
        lastLetter = scalar
      } else {
        endWord()
        if isSentenceEnd(scalar), wordSinceEnd {
          sentences += 1
          wordSinceEnd = false
        }
      }
    }
    endWord()
    if wordSinceEnd { sentences += 1 }
    guard letters > 0, words > 0 else { return nil }

    var wordCount = Double(words)
    var syllableCount = Double(syllables)
    if syllabic * 2 > letters {
      wordCount = max(1, Double(letters) / 2)
      syllableCount = Double(letters)
    } else if latin * 2 < letters {
      syllableCount = max(wordCount, Double(letters) / 3)
    }
    let score =
      206.835 - 1.015 * wordCount / Double(max(1, sentences)) - 84.6 * syllableCount / wordCount
    return score.clamped(0, 100)
  }

  private static func isVowel(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "a", "e", "i", "o", "u", "y", "A", "E", "I", "O", "U", "Y": true
    default:
      // Latin letters with marks: the vowels among them.
      "àáâãäåæèéêëìíîïòóôõöøùúûüýÿœāăąēĕėęěīĭįōŏőūŭůűų".unicodeScalars.contains(scalar)
        && scalar.value >= 0xC0
    }
  }

  private static func isSentenceEnd(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case ".", "!", "?", "…", "。", "！", "？", "।", "؟", "۔", "\n": true
    default: false
    }
  }

  private static func isSyllabic(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x0E00..<0x0F00, 0x1100..<0x1200, 0x3040..<0x3100, 0x3400..<0x4DC0, 0x4E00..<0xA000,
      0xAC00..<0xD7B0, 0xF900..<0xFB00, 0x20000..<0x32000:
      true
    default: false
    }
  }
}
