// Pages beside the inbox: local times only.
import { localise } from "./clock.js";

localise(document);
