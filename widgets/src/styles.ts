/** The stepper's styles, in the order in which they override each other. */
import "./styles/base.css";
import "./styles/controls.css";
import "./styles/sentence.css";
import "./styles/plan.css";
import "./styles/grids.css";
import "./styles/details.css";
import "./styles/branches.css";
import "./styles/why.css";
import "./styles/predict.css";
// Last: it overrides.
import "./styles/widths.css";
