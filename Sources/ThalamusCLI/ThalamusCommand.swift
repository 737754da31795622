@main struct ThalamusCommand { static func main() {} }
