package embedded

const victimEnv = "TRACKMESH_EMBEDDED_VICTIM"

func victim() {}
