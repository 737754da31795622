import Kernels

extension WeightLoader {
  /// A convolution's weights, those of the oldest input first, which a file has channel by channel.
  /// // (channels, taps) to (taps, channels)
  func taps(_ name: String, channels: Int, taps count: Int) throws(ModelError) -> FloatBuffer {
    let columns = try floatMatrix(name, rows: channels, width: count)
    do {
      let taps = try FloatBuffer(rows: count, width: channels)
      for channel in 0..<channels {
        for tap in 0..<count { taps[tap, channel] = columns[channel, tap] }
      }
      return taps
    } catch {
      throw .unreadableTensor(name, reason: "\(error)")
    }
  }
}
