/// The sizes of latent attention (DeepSeek-V2's MLA): keys and values of all heads come out of one
/// narrow vector a position, and positions enter through a part of each head that is kept apart.
package struct LatentShape: Sendable, Equatable {
  /// Width of the vector that queries come out of; nil where they come from the residual stream.
  package var queryRank: Int?
  /// Width of the vector that keys and values come out of.
  package var keyValueRank: Int
  /// Numbers of a query or key that are not rotated; they come first.
  package var plainDim: Int
  /// Numbers that are rotated. A position's rotated key is the same for all heads.
  package var rotatedDim: Int
}
