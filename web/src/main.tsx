import { render } from "preact";
import "./style/tokens.css";
import "./style/base.css";
import "./style/shell.css";
import "./style/worklist.css";
import "./style/pages.css";
import { App } from "./app";
import { startKeyboard } from "./keys/keyboard";
import { guardTheDoor, whoAmI } from "./me";
import { followLinks } from "./router";
import { wearTheme } from "./theme";

wearTheme();
followLinks();
startKeyboard();
guardTheDoor();
render(<App />, document.getElementById("app")!);
void whoAmI();
