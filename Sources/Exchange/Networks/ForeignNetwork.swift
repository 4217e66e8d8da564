public import Formats
public import Recurrence

/// The registry of networks in the forms of other programs. A new one is a type in a file of its own and one line
/// here.
public let foreignNetworks: [any ForeignNetwork.Type] = [
  HuggingFaceMamba2.self,
  HuggingFaceRecurrentGemma.self,
  HuggingFaceXLSTM.self,
  LlamaMamba2.self,
  LlamaRWKV7.self,
  RWKVCppNetwork.self,
  RWKVLanguageModel.self,
]

/// A network as another program has it: its settings, and the names and shapes of its tensors.
///
/// Export writes `configuration(of:)` and the tensors of `rules(for:)`. Import finds the model of a file's
/// configuration, and undoes the same rules. A model that is another one after export and import is refused,
/// with the first setting that differs, so a network need not list what it lacks.
public protocol ForeignNetwork: Sendable {
  /// The name of the network in its programs, such as `mamba2`: `general.architecture` of a GGUF file,
  /// `model_type` of a Hugging Face folder.
  static var name: String { get }
  static var container: ForeignContainer { get }
  /// The cell of all blocks, by its name in the registry of cells.
  static var cell: String { get }

  /// Returns the settings of a model whose layers are all blocks of `cell`, under the program's keys.
  /// - Throws: `Obstacle` where a setting has no place there.
  static func configuration(of model: ForeignModel) throws(Obstacle) -> ForeignConfiguration

  /// Returns the settings of a file.
  /// - Throws: `FileError` where its tensors tell them and do not.
  static func configuration(in content: ForeignContent) throws(FileError) -> ForeignConfiguration

  /// Returns the model with such settings; first values and dropout are those of the preset.
  /// - Throws: `FileError` where a setting is missing or one that no model here has.
  static func model(of configuration: ForeignConfiguration) throws(FileError) -> ForeignModel

  /// Returns the tensors of a model's file.
  static func rules(for model: ForeignModel) -> [TensorRule]

  /// Returns true if a file of this container has this network.
  static func recognises(_ content: ForeignContent) -> Bool

  /// Returns the options in the spelling of `model(of:)`, where one setting has two.
  static func canonical(_ options: SequenceModelOptions) -> SequenceModelOptions

  /// Small models that together have every option of the network, for tests.
  static var samples: [ForeignModel] { get }
}

extension ForeignNetwork {
  public static func configuration(
    in content: ForeignContent
  ) throws(FileError) -> ForeignConfiguration {
    ForeignConfiguration(of: content)
  }

  public static func recognises(_ content: ForeignContent) -> Bool {
    guard let key = container.networkKey else { return false }
    return content.configuration[key] == .string(name)
  }

  public static func canonical(_ options: SequenceModelOptions) -> SequenceModelOptions { options }
}

/// A file or folder in which other programs keep networks.
public enum ForeignContainer: String, CaseIterable, Sendable {
  /// `config.json`, `model.safetensors` and the tokenizer's files in a folder, for transformers.
  case huggingface
  /// One file for llama.cpp.
  case gguf
  /// A `.safetensors` file with RWKV-LM's names.
  case rwkv
  /// A `.bin` file of rwkv.cpp, which is only read.
  case rwkvCpp = "rwkv.cpp"

  /// The key of the configuration whose value is the network's name; nil if tensors tell it.
  var networkKey: String? {
    switch self {
    case .huggingface: "model_type"
    case .gguf: "general.architecture"
    case .rwkv, .rwkvCpp: nil
    }
  }

  /// True if a file has settings beside its tensors.
  var describesItself: Bool { networkKey != nil }

  /// The container in words, such as "a GGUF file".
  var words: String {
    switch self {
    case .huggingface: "a Hugging Face folder"
    case .gguf: "a GGUF file"
    case .rwkv: "a file with RWKV's names"
    case .rwkvCpp: "a file of rwkv.cpp"
    }
  }
}

/// A language model that another program may have, too.
public struct ForeignModel: Sendable {
  public var options: SequenceModelOptions
  /// The number of symbols.
  public var vocabulary: Int

  public init(_ options: SequenceModelOptions, vocabulary: Int) {
    self.options = options
    self.vocabulary = vocabulary
  }

  /// The block of a layer, which must be one.
  public func block(_ index: Int) -> BlockOptions {
    guard case .block(let block) = options.layers[index].kind else {
      preconditionFailure("layer \(index) is no block")
    }
    return block
  }

  /// The width of the embedding, which must be there, and of every block.
  public var width: Int {
    guard let width = options.embedding else { preconditionFailure("a model without embedding") }
    return width
  }

  /// The number of blocks.
  public var depth: Int { options.layers.count }
}

/// The reason why a network of another program lacks a part of a model, to complete "it cannot be exported,
/// because".
public struct Obstacle: Error, Equatable {
  public let reason: String
  public init(_ reason: String) { self.reason = reason }
}
