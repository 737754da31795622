extension RGBImage {
  /// The image in another size, bit for bit as Pillow's `Image.resize` makes it before its version 13: columns first,
  /// then rows, with weights of 22 bits behind the point (its `libImaging/Resample.c`).
  package func resized(to target: ImageSize, filter: ResamplingFilter) -> RGBImage {
    precondition(target.width > 0 && target.height > 0)
    var image = self
    if target.width != width {
      image = image.resizedColumns(Weights(from: width, to: target.width, filter))
    }
    if target.height != height {
      image = image.resizedRows(Weights(from: height, to: target.height, filter))
    }
    return image
  }

  /// The rectangle from `x`, `y` on, which lies within the image.
  func cropped(x: Int, y: Int, to size: ImageSize) -> RGBImage {
    var pixels: [UInt8] = []
    pixels.reserveCapacity(3 * size.width * size.height)
    for row in y..<y + size.height {
      let first = 3 * (row * width + x)
      pixels += self.pixels[first..<first + 3 * size.width]
    }
    return RGBImage(size: size, pixels: pixels)
  }

  private func resizedColumns(_ weights: Weights) -> RGBImage {
    let size = ImageSize(width: weights.count, height: height)
    let rowBytes = 3 * width
    let bytes = 3 * size.width * height
    let made = [UInt8](unsafeUninitializedCapacity: bytes) { target, count in
      pixels.withUnsafeBufferPointer { source in
        weights.withPointers { firsts, counts, taps in
          var next = 0
          for row in 0..<height {
            for column in 0..<size.width {
              let mine = taps + column * weights.most
              var place = row * rowBytes + 3 * Int(firsts[column])
              var (red, green, blue) = (Weights.half, Weights.half, Weights.half)
              for tap in 0..<Int(counts[column]) {
                red &+= Int32(source[place]) &* mine[tap]
                green &+= Int32(source[place + 1]) &* mine[tap]
                blue &+= Int32(source[place + 2]) &* mine[tap]
                place += 3
              }
              target[next] = Weights.byte(red)
              target[next + 1] = Weights.byte(green)
              target[next + 2] = Weights.byte(blue)
              next += 3
            }
          }
        }
      }
      count = bytes
    }
    return RGBImage(size: size, pixels: made)
  }

  private func resizedRows(_ weights: Weights) -> RGBImage {
    let size = ImageSize(width: width, height: weights.count)
    let rowBytes = 3 * width
    let bytes = rowBytes * size.height
    let made = [UInt8](unsafeUninitializedCapacity: bytes) { target, count in
      pixels.withUnsafeBufferPointer { source in
        withUnsafeTemporaryAllocation(of: Int32.self, capacity: rowBytes) { sums in
          weights.withPointers { firsts, counts, taps in
            for row in 0..<size.height {
              sums.update(repeating: Weights.half)
              for tap in 0..<Int(counts[row]) {
                let weight = taps[row * weights.most + tap]
                let place = (Int(firsts[row]) + tap) * rowBytes
                for index in 0..<rowBytes {
                  sums[index] &+= Int32(source[place + index]) &* weight
                }
              }
              for index in 0..<rowBytes {
                target[row * rowBytes + index] = Weights.byte(sums[index])
              }
            }
          }
        }
      }
      count = bytes
    }
    return RGBImage(size: size, pixels: made)
  }
}

/// For each pixel of a row or column of the new image: which pixels of the old one count, and how much.
private struct Weights {
  private static let bits: Int32 = 22
  static let half: Int32 = 1 << (bits - 1)

  /// Pixels of the new image.
  let count: Int
  /// Weights of a pixel at most.
  let most: Int
  private var firsts: [Int32] = []
  private var counts: [Int32] = []
  private var taps: [Int32]  // (count, most)

  init(from old: Int, to count: Int, _ filter: ResamplingFilter) {
    let scale = Double(old) / Double(count)
    // An image that grows is interpolated; of one that shrinks, all pixels count.
    let reach = max(scale, 1)
    let support = filter.support * reach
    self.count = count
    most = Int(support.rounded(.up)) * 2 + 1
    taps = Array(repeating: 0, count: count * most)
    var weights: [Double] = []
    for pixel in 0..<count {
      let center = (Double(pixel) + 0.5) * scale
      let first = max(0, Int(center - support + 0.5))
      let end = min(old, Int(center + support + 0.5))
      weights.removeAll(keepingCapacity: true)
      for place in first..<end {
        weights.append(filter.weight((Double(place) - center + 0.5) * (1 / reach)))
      }
      let sum = weights.reduce(0, +)
      for (tap, weight) in weights.enumerated() {
        let part = (sum == 0 ? weight : weight / sum) * Double(1 << Self.bits)
        taps[pixel * most + tap] = Int32(part < 0 ? part - 0.5 : part + 0.5)
      }
      firsts.append(Int32(first))
      counts.append(Int32(end - first))
    }
  }

  static func byte(_ sum: Int32) -> UInt8 { UInt8(clamping: sum >> bits) }

  func withPointers(
    _ body: (UnsafePointer<Int32>, UnsafePointer<Int32>, UnsafePointer<Int32>) -> Void
  ) {
    firsts.withUnsafeBufferPointer { firsts in
      counts.withUnsafeBufferPointer { counts in
        taps.withUnsafeBufferPointer { taps in
          guard let firsts = firsts.baseAddress, let counts = counts.baseAddress,
            let taps = taps.baseAddress
          else { return }
          body(firsts, counts, taps)
        }
      }
    }
  }
}
