/// Which prompts are held out from training: by a hash of the text, so that the split is the same
/// on every machine, whatever the order or the number of files, and equal prompts stay together.
package enum HeldOutSplit {
  /// Whether a prompt is held out. `share` of 0.2 holds out about a fifth.
  package static func holdsOut(_ promptText: String, share: Double = 0.2) -> Bool {
    let unit = Double(StableHash.fnv1a(promptText) >> 11) * 0x1p-53
    return unit < share
  }
}

/// Hashes that never change between runs, unlike Swift's own.
package enum StableHash {
  /// FNV-1a over the UTF-8 bytes, with a final mix so that the high bits are as good as the low.
  package static func fnv1a(_ text: String) -> UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
    hash = (hash ^ (hash >> 33)) &* 0xff51_afd7_ed55_8ccd
    hash = (hash ^ (hash >> 33)) &* 0xc4ce_b9fe_1a85_ec53
    return hash ^ (hash >> 33)
  }
}
