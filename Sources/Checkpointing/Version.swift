/// The version of this program.
public enum Version {
  public static let number = "0.2.0"
}
