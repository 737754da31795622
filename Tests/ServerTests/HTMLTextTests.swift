import Server
import Testing

@Suite struct HTMLTextTests {
  @Test(arguments: [
    ("", ""), ("plain é 日本", "plain é 日本"),
    (
      "<script>alert('x' & \"y\")</script>",
      "&lt;script&gt;alert(&#39;x&#39; &amp; &quot;y&quot;)&lt;/script&gt;"
    ),
    ("&lt;", "&amp;lt;"), ("a\u{301}<\u{301}", "a\u{301}&lt;\u{301}"),
  ])
  func escaped(text: String, html: String) {
    #expect(HTMLText.escape(text).utf8.elementsEqual(html.utf8))
  }
}
