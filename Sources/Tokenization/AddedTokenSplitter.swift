/// The special tokens of a vocabulary, by when they are looked for in a text: some in the text as it
/// came, others once it was normalized; control tokens only in text that may hold them.
struct AddedTokenSplitter: Sendable {
  typealias Token = (id: Int32, bytes: [UInt8])

  private let before: (all: SpecialTokenSplitter, userDefined: SpecialTokenSplitter)
  private let after: (all: SpecialTokenSplitter, userDefined: SpecialTokenSplitter)
  /// Whether all are looked for in the text as it came.
  let needNoNormalizing: Bool

  init(
    control: [Token], userDefined: [Token], normalizedControl: [Token] = [],
    normalizedUserDefined: [Token] = []
  ) {
    before = (SpecialTokenSplitter(control + userDefined), SpecialTokenSplitter(userDefined))
    after = (
      SpecialTokenSplitter(normalizedControl + normalizedUserDefined),
      SpecialTokenSplitter(normalizedUserDefined)
    )
    needNoNormalizing = normalizedControl.isEmpty && normalizedUserDefined.isEmpty
  }

  /// - Parameter normalize: what becomes of a token's text as of all text.
  init(_ added: [CheckpointVocabulary.Added], normalize: (String) -> [UInt8]) {
    func tokens(isSpecial: Bool, isNormalized: Bool) -> [Token] {
      added.filter { $0.isSpecial == isSpecial && $0.isNormalized == isNormalized }
        .map { ($0.id, isNormalized ? normalize($0.content) : Array($0.content.utf8)) }
    }
    self.init(
      control: tokens(isSpecial: true, isNormalized: false),
      userDefined: tokens(isSpecial: false, isNormalized: false),
      normalizedControl: tokens(isSpecial: true, isNormalized: true),
      normalizedUserDefined: tokens(isSpecial: false, isNormalized: true))
  }

  func beforeNormalizing(withControl: Bool) -> SpecialTokenSplitter {
    withControl ? before.all : before.userDefined
  }

  func afterNormalizing(withControl: Bool) -> SpecialTokenSplitter {
    withControl ? after.all : after.userDefined
  }
}
