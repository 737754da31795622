/// Texts that JSON Schema's `format` names, as patterns. What has no pattern here is no more than a remark, as
/// the specification has it.
enum NamedFormat {
  private static let date =
    #"[1-9]\d{3}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|02-(?:0[1-9]|1\d|2[0-8]))"#
  private static let time =
    #"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)"#
  private static let label = "[a-z0-9]+(?:-[a-z0-9]+)*"
  private static let byte = #"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"#

  static let patterns: [String: String] = [
    "date": "^\(date)$",
    "time": "^\(time)$",
    "date-time": "^\(date)T\(time)$",
    "uuid": #"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"#,
    "ipv4": #"^\#(byte)(?:\.\#(byte)){3}$"#,
    "uri":
      #"^https?://\#(label)(?:\.\#(label))*(?::[1-9]\d{1,3})?(?:/[A-Za-z0-9._~!$&'()*+,;=:@/?-]*)?$"#,
    "hostname": #"^\#(label)(?:\.\#(label))*$"#,
    "ipv6": #"^(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}$"#,
    "duration": #"^P\d{1,4}[DWMY]$|^P(?:\d{1,4}D)?T\d{1,4}[HMS]$"#,
    "email":
      #"^[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@[A-Za-z0-9][A-Za-z0-9-]{0,40}(?:\.[A-Za-z]{2,20}){1,3}$"#,
  ]
}
