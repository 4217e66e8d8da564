/// All rules across settings and sections.
public let compatibilityRules: [CompatibilityRule] =
  readoutRules + dataRules + modelRules + layerRules + trainingRules + communicationRules
  + evaluationRules + fitRules + windowRules
